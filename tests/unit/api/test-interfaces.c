/* SPDX-License-Identifier: MIT */
/*
 * Compares the interface files with the method table in both directions: methods, parameters and
 * their types, the key of each list, and the declared errors.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "daemon/api/methods.h"
#include "proto/interfaces.h"
#include "proto/status.h"
#include "tests/support/fake-host.h"
#include "tests/support/varlink-text.h"

TestSuite(interfaces);

Test(interfaces, each_file_is_an_interface_named_as_the_file)
{
	cr_assert_eq(interface_count, 6u);
	for (size_t i = 0; i < interface_count; i++) {
		VarlinkText *text = varlink_parse(interfaces[i].description);

		cr_assert_not_null(text, "%s", interfaces[i].name);
		cr_assert_str_eq(text->interface, interfaces[i].name);
		varlink_free(text);
	}
}

static const Method *find_row(const char *interface, const char *name)
{
	for (size_t i = 0; i < method_count; i++)
		if (strcmp(methods[i].interface, interface) == 0 &&
		    strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

Test(interfaces, each_declared_method_has_a_row)
{
	VarlinkService service = varlink_service();
	size_t declared = 0;

	for (size_t i = 0; i < service.count; i++)
		for (size_t j = 0; j < service.texts[i]->count; j++) {
			const VarlinkDefinition *definition = &service.texts[i]->definitions[j];

			if (definition->word != VARLINK_METHOD)
				continue;
			declared++;
			cr_assert_not_null(find_row(service.texts[i]->interface, definition->name),
					   "%s has no row", definition->name);
		}
	cr_assert_eq(declared, method_count, "a row is duplicated or not declared");
	varlink_service_deinit(&service);
}

static VarlinkKind kind_of(JsonFieldType type)
{
	switch (type) {
	case JSON_FIELD_GUID:
	case JSON_FIELD_STRING:
	case JSON_FIELD_ADDRESS:
		return VARLINK_STRING;
	case JSON_FIELD_INTEGER:
		return VARLINK_INT;
	case JSON_FIELD_BOOLEAN:
		return VARLINK_BOOL;
	case JSON_FIELD_CHOICE:
		return VARLINK_ENUM;
	case JSON_FIELD_OBJECT:
		return VARLINK_STRUCT;
	case JSON_FIELD_ARRAY:
	case JSON_FIELD_CHOICES:
		return VARLINK_ARRAY;
	default: /* not used for parameters */
		return VARLINK_NAMED;
	}
}

/* Checks that table and declaration have the same members with the same types. */
static void compare_table(const VarlinkText *text, const VarlinkType *declared,
			  const JsonTable *table, const char *method)
{
	size_t count = 0;

	for (const VarlinkField *field = declared->fields; field; field = field->next)
		count++;
	cr_assert_eq(count, table->count, "%s: %zu parameters declared, %zu in the table", method,
		     count, table->count);
	for (size_t i = 0; i < table->count; i++) {
		const JsonField *row = &table->fields[i];
		const VarlinkField *field = varlink_field(declared, row->name);

		cr_assert_not_null(field, "%s: %s is not declared", method, row->name);
		const VarlinkType *type = varlink_resolve(text, field->type);
		cr_assert_not_null(type);
		cr_assert_eq(field->type->optional, !row->is_required, "%s: %s", method, row->name);
		cr_assert_eq(type->kind, kind_of(row->type), "%s: %s", method, row->name);
		if (row->type == JSON_FIELD_ARRAY)
			type = varlink_resolve(text, type->element);
		if (row->table)
			compare_table(text, type, row->table, method);
		else if (row->type == JSON_FIELD_ARRAY)
			cr_assert_eq(type->kind, kind_of(row->item_type), "%s: %s", method,
				     row->name);
	}
}

Test(interfaces, each_row_is_declared_with_its_parameters)
{
	VarlinkService service = varlink_service();

	for (size_t i = 0; i < method_count; i++) {
		const VarlinkText *text = varlink_interface(&service, methods[i].interface);
		cr_assert_not_null(text, "%s", methods[i].interface);
		const VarlinkDefinition *definition =
			varlink_find(text, VARLINK_METHOD, methods[i].name);
		cr_assert_not_null(definition, "%s is not declared", methods[i].name);
		compare_table(text, definition->in, methods[i].params, methods[i].name);
	}
	varlink_service_deinit(&service);
}

/* The dispatcher finds the subject by the first parameter. */
Test(interfaces, first_parameter_names_the_subject)
{
	for (size_t i = 0; i < method_count; i++) {
		SubjectType subject = methods[i].subject;

		if (subject == SUBJECT_NONE)
			continue;
		cr_assert_gt(methods[i].params->count, 0u, "%s", methods[i].name);
		const JsonField *first = &methods[i].params->fields[0];
		if (subject == SUBJECT_VM || subject == SUBJECT_VM_IF_NAMED)
			cr_assert_eq(first->type, JSON_FIELD_GUID, "%s", methods[i].name);
		else
			cr_assert(param_is_handle(first), "%s", methods[i].name);
		cr_assert_eq(first->offset, 0u, "%s", methods[i].name);
	}
}

Test(interfaces, each_list_returns_the_declared_array)
{
	VarlinkService service = varlink_service();

	for (size_t i = 0; i < method_count; i++) {
		char key[64] = "";

		if (!methods[i].list)
			continue;
		const VarlinkText *text = varlink_interface(&service, methods[i].interface);
		const VarlinkDefinition *definition =
			varlink_find(text, VARLINK_METHOD, methods[i].name);
		cr_assert_eq(sscanf(methods[i].list_key, "\"%63[^\"]\":", key), 1);
		const VarlinkField *field = varlink_field(definition->out, key);
		cr_assert_not_null(field, "%s does not declare %s", methods[i].name, key);
		cr_assert_eq(field->type->kind, VARLINK_ARRAY);
	}
	varlink_service_deinit(&service);
}

Test(interfaces, each_declared_error_has_a_status)
{
	VarlinkService service = varlink_service();
	const VarlinkDefinition *definition;
	NTSTATUS status;

	for (size_t i = 0; i < service.count; i++) {
		if (strcmp(service.texts[i]->interface, INTERFACE_SERVICE) == 0)
			continue;
		for (size_t j = 0; j < service.texts[i]->count; j++) {
			bool found = false;

			definition = &service.texts[i]->definitions[j];
			if (definition->word != VARLINK_ERROR)
				continue;
			for (uint32_t code = 0; code < 0x400; code++) {
				const char *name;

				status = (NTSTATUS)(0xC0000000u | code);
				name = status_error_name(status);
				found |= name && strcmp(name, definition->name) == 0;
			}
			found |= strcmp(definition->name, "GraphicsVailStateChanged") == 0;
			cr_assert(found, "%s", definition->name);
		}
	}
	varlink_service_deinit(&service);
}

/* The dispatcher may return these errors for any method. */
Test(interfaces, each_interface_declares_the_errors_of_the_dispatcher)
{
	static const char *const common[] = {
		"InvalidParameter",      "NoMemory",
		"AccessDenied",          "QuotaExceeded",
		"InsufficientResources", "ProcessIsTerminating",
	};
	VarlinkService service = varlink_service();

	for (size_t i = 0; i < service.count; i++)
		for (size_t j = 0; j < ARRAY_SIZE(common); j++)
			if (strcmp(service.texts[i]->interface, INTERFACE_SERVICE) != 0)
				cr_assert_not_null(
					varlink_find(service.texts[i], VARLINK_ERROR, common[j]),
					"%s lacks %s", service.texts[i]->interface, common[j]);
	varlink_service_deinit(&service);
}

Test(interfaces, daemon_returns_the_files_unchanged)
{
	HostFixture fixture = host_fixture_new_quiet();

	cr_assert_str_eq(call(fixture.fake_host, fixture.client, GET_INFO, NULL), "");
	cr_assert_eq(reply_count(fixture.fake_host, "interfaces"), interface_count);
	for (size_t i = 0; i < interface_count; i++) {
		cr_assert_str_eq(callf(fixture.fake_host, fixture.client, GET_DESCRIPTION,
				       "{\"interface\":\"%s\"}", interfaces[i].name),
				 "");
		cr_assert_str_eq(reply_string(fixture.fake_host, "description"),
				 interfaces[i].description);
	}
	cr_assert_str_eq(
		call(fixture.fake_host, fixture.client, GET_DESCRIPTION, "{\"interface\":\"x.y\"}"),
		"org.varlink.service.InterfaceNotFound");
	cr_assert_str_eq(reply_string(fixture.fake_host, "interface"), "x.y");
	host_fixture_free(&fixture);
}
