/* SPDX-License-Identifier: MIT */
#include "daemon/host/config-software-adapter.h"

#define ROW(type, name, structure, member)                                           \
	JSON_FIELD(type, name, structure, member), .present_offset = JSON_NO_MEMBER, \
						   .count_offset = JSON_NO_MEMBER

static const JsonField reservation_fields[] = {
	{ ROW(JSON_FIELD_INTEGER, "sizeInBytes", DriverReservation, size), .maximum = INT64_MAX,
	  .is_required = true },
	{ ROW(JSON_FIELD_INTEGER, "alignment", DriverReservation, alignment),
	  .maximum = INT64_MAX },
	{ ROW(JSON_FIELD_ADDRESS, "baseAddress", DriverReservation, base_address) },
	{ ROW(JSON_FIELD_BOOLEAN, "allowUserModeMapping", DriverReservation,
	      allow_user_mode_mapping) },
};

const JsonTable config_reservation_table = { reservation_fields, ARRAY_SIZE(reservation_fields),
					     true };

#define RESERVATIONS(key, member)                                                             \
	{                                                                                     \
		.type = JSON_FIELD_ARRAY, .name = (key),                                      \
		.offset = offsetof(SoftwareAdapterSettings, member.items),                    \
		.size = sizeof(DriverReservation), .present_offset = JSON_NO_MEMBER,          \
		.count_offset = offsetof(SoftwareAdapterSettings, member.count),              \
		.maximum = LIMIT_CONFIGURED_RESERVATIONS, .table = &config_reservation_table, \
	}

static const JsonField fields[] = {
	RESERVATIONS("reservations", of_processes),
	RESERVATIONS("systemReservations", of_system_process),
};

const JsonTable config_software_adapter_table = { fields, ARRAY_SIZE(fields), true };

static bool check_reservations(const char *key, const ConfiguredReservations *reservations,
			       const Limits *limits, bool is_system, Failure *failure)
{
	Failure refusal;
	size_t index = 0;

	if (software_driver_check(reservations, limits, is_system, &index, &refusal) ==
	    STATUS_SUCCESS)
		return true;
	failure_set(failure, refusal.status, "configuration", "%s[%zu]: %s", key, index,
		    refusal.message);
	return false;
}

bool config_check_software_adapter(const SoftwareAdapterSettings *settings, const Limits *limits,
				   Failure *failure)
{
	return check_reservations("reservations", &settings->of_processes, limits, false,
				  failure) &&
	       check_reservations("systemReservations", &settings->of_system_process, limits, true,
				  failure);
}
