/* SPDX-License-Identifier: MIT */
/* Which texts are keys of the fleet. Everything else in etcd is foreign. */
#include <criterion/criterion.h>
#include <string.h>

#include "daemon/fleet/model/key.h"
#include "proto/macros.h"

TestSuite(fleet_keys);

#define VM   "af0dcd1a-a0fd-59a0-998e-cad0c3834a2c"
#define HOST "0123456789abcdef0123456789abcdef"
#define A63  "0123456789012345678901234567890123456789012345678901234567890ab"

Test(fleet_keys, forms)
{
	static const struct {
		const char *text;
		bool is_key;
	} rows[] = {
		{ "hosts/" HOST, true },
		{ "vms/" VM "/" HOST, true },
		{ "gpus/" HOST "/0000:41:00.0", true },
		{ "gpus/" HOST "/a", true },
		{ "gpus/" HOST "/faux!vgem", true },
		{ "gpus/" HOST "/" A63, true },
		{ "where/" VM, true },
		{ "quarantine/" VM, true },
		{ "", false },
		{ "/", false },
		{ "hosts", false },
		{ "hosts/", false },
		{ "/hosts/" HOST, false },
		{ "Hosts/" HOST, false },
		{ "hosts//" HOST, false },
		{ "hosts/" HOST "/", false },
		{ "hosts/" HOST "0", false },
		{ "hosts/0123456789abcdef0123456789abcde", false },
		{ "hosts/0123456789ABCDEF0123456789abcdef", false },
		{ "hosts/00000000000000000000000000000000", false },
		{ "hosts/" VM, false },
		{ "vms/" VM, false },
		{ "vms/" VM "/", false },
		{ "vms/" HOST "/" HOST, false },
		{ "vms/" VM "/" HOST "/", false },
		{ "vms/AF0DCD1A-A0FD-59A0-998E-CAD0C3834A2C/" HOST, false },
		{ "vms/{" VM "}/" HOST, false },
		{ "vms/00000000-0000-0000-0000-000000000000/" HOST, false },
		{ "gpus/" HOST, false },
		{ "gpus/" HOST "/", false },
		{ "gpus/" HOST "/" A63 "0", false },
		{ "gpus/" HOST "/a/b", false },
		{ "gpus/" HOST "/a b", false },
		{ "gpus/" HOST "/\xc3\xa4", false },
		{ "gpus/" HOST "/../x", false },
		{ "where/" VM "/" HOST, false },
		{ "where/" HOST, false },
		{ "where/", false },
		{ "quarantine/" VM "/", false },
		{ "quarantines/" VM, false },
		{ "other/" VM, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		FleetKey key, untouched;
		char text[FLEET_KEY_SIZE];

		memset(&key, 0x5a, sizeof(key));
		untouched = key;
		cr_assert_eq(fleet_key_parse(rows[i].text, &key), rows[i].is_key, "%s",
			     rows[i].text);
		if (rows[i].is_key)
			cr_assert_str_eq(fleet_key_format(&key, text), rows[i].text);
		else
			cr_assert_arr_eq(&key, &untouched, sizeof(key), "%s", rows[i].text);
	}
}

Test(fleet_keys, equal_keys_have_equal_bytes)
{
	FleetKey parsed, made;
	HostId host;

	cr_assert(host_id_parse(HOST, &host));
	cr_assert(fleet_key_parse("gpus/" HOST "/a", &parsed));
	made = fleet_key_gpu(&host, "a");
	cr_assert_eq(fleet_key_compare(&parsed, &made), 0);
	cr_assert_arr_eq(parsed.address, made.address, sizeof(made.address));
}

Test(fleet_keys, order)
{
	static const char *const rising[] = {
		"hosts/01000000000000000000000000000000",
		"hosts/02000000000000000000000000000000",
		"vms/01000000-0000-0000-0000-000000000000/02000000000000000000000000000000",
		"vms/02000000-0000-0000-0000-000000000000/01000000000000000000000000000000",
		"gpus/01000000000000000000000000000000/a",
		"gpus/01000000000000000000000000000000/b",
		"gpus/02000000000000000000000000000000/a",
		"where/01000000-0000-0000-0000-000000000000",
		"quarantine/01000000-0000-0000-0000-000000000000",
	};
	FleetKey keys[ARRAY_SIZE(rising)];

	for (size_t i = 0; i < ARRAY_SIZE(rising); i++)
		cr_assert(fleet_key_parse(rising[i], &keys[i]));
	for (size_t i = 0; i < ARRAY_SIZE(rising); i++)
		for (size_t j = 0; j < ARRAY_SIZE(rising); j++) {
			int order = fleet_key_compare(&keys[i], &keys[j]);

			cr_assert_eq(order < 0, i < j, "%s %s", rising[i], rising[j]);
			cr_assert_eq(order == 0, i == j, "%s %s", rising[i], rising[j]);
		}
}

Test(fleet_keys, leased_ones_belong_to_a_host)
{
	const HostId host = { { 1 } };
	const Guid vm = { { 1 } };
	const FleetKey leased[] = { fleet_key_host(&host), fleet_key_vm(&vm, &host),
				    fleet_key_gpu(&host, "a") };
	const FleetKey kept[] = { fleet_key_where(&vm), fleet_key_quarantine(&vm) };

	for (size_t i = 0; i < ARRAY_SIZE(leased); i++)
		cr_assert(fleet_key_is_leased(&leased[i]));
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		cr_assert(!fleet_key_is_leased(&kept[i]));
}
