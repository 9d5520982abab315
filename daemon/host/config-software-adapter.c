/* SPDX-License-Identifier: MIT */
#include "config-software-adapter.h"

#include <stdio.h>

#include "params.h"

static ConfiguredReservations reservations_of(const ReservationsParams *params)
{
	ConfiguredReservations reservations = { .count = params->array.count };

	for (size_t i = 0; i < reservations.count; i++) {
		const ReservationParams *item = &params->items[i];

		reservations.items[i] = (DriverReservation){
			.size = item->size.value,
			.alignment = item->alignment.value,
			.base_address = item->base_address.value,
			.allow_user_mode_mapping = item->allow_user_mode_mapping.value,
		};
	}
	return reservations;
}

static bool can_be_made(const char *name, const ConfiguredReservations *reservations,
			const Limits *limits, bool is_system, Failure *failure)
{
	Failure refusal;
	size_t index = 0;

	if (software_driver_check(reservations, limits, is_system, &index, &refusal) ==
	    STATUS_SUCCESS)
		return true;
	failure_set(failure, refusal.status, "configuration", "%s[%zu]: %s", name, index,
		    refusal.message);
	return false;
}

bool config_check_software_adapter(const SoftwareAdapterSettings *settings, const Limits *limits,
				   Failure *failure)
{
	return can_be_made("reservations", &settings->of_processes, limits, false, failure) &&
	       can_be_made("systemReservations", &settings->of_system_process, limits, true,
			   failure);
}

bool config_read_software_adapter(const JsonValue *value, SoftwareAdapterSettings *ret_settings,
				  Failure *failure)
{
	SoftwareAdapterParams params = { 0 };
	SoftwareAdapterSettings settings;

	if (json_type_of(value) != JSON_OBJECT) {
		failure_set(failure, STATUS_INVALID_PARAMETER, "configuration", "is not an object");
		return false;
	}
	if (params_decode(&params_software_adapter, value, &params, failure) != STATUS_SUCCESS)
		return false;
	settings.of_processes = reservations_of(&params.reservations);
	settings.of_system_process = reservations_of(&params.system_reservations);
	if (!config_check_software_adapter(&settings, &limits_default, failure))
		return false;
	*ret_settings = settings;
	return true;
}
