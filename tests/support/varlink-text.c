/* SPDX-License-Identifier: MIT */
/* A recursive-descent parser of .varlink files, and a comparison of JSON values with types. */
#include "tests/support/varlink-text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/interfaces.h"
#include "proto/macros.h"

typedef struct Reader {
	const char *at;
	bool failed;
} Reader;

static void skip_blanks(Reader *reader)
{
	while (isspace((unsigned char)*reader->at) || *reader->at == '#') {
		if (*reader->at == '#')
			reader->at += strcspn(reader->at, "\n");
		else
			reader->at++;
	}
}

static bool accept(Reader *reader, const char *token)
{
	skip_blanks(reader);
	if (strncmp(reader->at, token, strlen(token)) != 0)
		return false;
	reader->at += strlen(token);
	return true;
}

static void expect(Reader *reader, const char *token)
{
	if (accept(reader, token) || reader->failed)
		return;
	fprintf(stderr, "expected '%s' before: %.40s\n", token, reader->at);
	reader->failed = true;
}

static void read_name(Reader *reader, char name[static 64])
{
	size_t length = 0;

	skip_blanks(reader);
	while ((isalnum((unsigned char)reader->at[length]) || strchr("._", reader->at[length])) &&
	       reader->at[length] != '\0' && length < 63)
		length++;
	memcpy(name, reader->at, length);
	name[length] = '\0';
	reader->at += length;
	if (length == 0)
		expect(reader, "a name");
}

static void type_free(VarlinkType *type)
{
	if (!type)
		return;
	while (type->fields) {
		VarlinkField *field = type->fields;

		type->fields = field->next;
		type_free(field->type);
		free(field);
	}
	type_free(type->element);
	free(type);
}

static VarlinkType *read_type(Reader *reader);

/* (a: type, b: type) or (a, b, c) */
static void read_fields(Reader *reader, VarlinkType *type)
{
	VarlinkField **tail = &type->fields;

	type->kind = VARLINK_STRUCT;
	while (!reader->failed && !accept(reader, ")")) {
		if (type->fields)
			expect(reader, ",");
		*tail = calloc(1, sizeof(VarlinkField));
		read_name(reader, (*tail)->name);
		if (accept(reader, ":"))
			(*tail)->type = read_type(reader);
		else
			type->kind = VARLINK_ENUM;
		tail = &(*tail)->next;
	}
}

static VarlinkType *read_type(Reader *reader)
{
	static const struct {
		const char *name;
		VarlinkKind kind;
	} basic_types[] = {
		{ "string", VARLINK_STRING },
		{ "int", VARLINK_INT },
		{ "bool", VARLINK_BOOL },
		{ "float", VARLINK_FLOAT },
	};
	VarlinkType *type = calloc(1, sizeof(*type));

	type->optional = accept(reader, "?");
	if (accept(reader, "[]")) {
		type->kind = VARLINK_ARRAY;
		type->element = read_type(reader);
	} else if (accept(reader, "(")) {
		read_fields(reader, type);
	} else {
		type->kind = VARLINK_NAMED;
		read_name(reader, type->name);
		for (size_t i = 0; i < ARRAY_SIZE(basic_types); i++)
			if (strcmp(basic_types[i].name, type->name) == 0)
				type->kind = basic_types[i].kind;
	}
	return type;
}

static VarlinkDefinition *add_definition(Reader *reader, VarlinkText *text, VarlinkWord word)
{
	VarlinkDefinition *definition = &text->definitions[text->count++];

	definition->word = word;
	read_name(reader, definition->name);
	expect(reader, "(");
	definition->in = calloc(1, sizeof(VarlinkType));
	read_fields(reader, definition->in);
	return definition;
}

static bool read_definition(Reader *reader, VarlinkText *text)
{
	if (text->count == VARLINK_DEFINITION_MAX)
		return false;
	if (accept(reader, "type")) {
		add_definition(reader, text, VARLINK_TYPE);
	} else if (accept(reader, "error")) {
		add_definition(reader, text, VARLINK_ERROR);
	} else if (accept(reader, "method")) {
		VarlinkDefinition *definition = add_definition(reader, text, VARLINK_METHOD);

		expect(reader, "->");
		expect(reader, "(");
		definition->out = calloc(1, sizeof(VarlinkType));
		read_fields(reader, definition->out);
	} else {
		return false;
	}
	return !reader->failed;
}

VarlinkText *varlink_parse(const char *description)
{
	Reader reader = { .at = description };
	VarlinkText *text = calloc(1, sizeof(*text));

	expect(&reader, "interface");
	read_name(&reader, text->interface);
	while (!reader.failed && read_definition(&reader, text))
		;
	skip_blanks(&reader);
	if (!reader.failed && *reader.at == '\0')
		return text;
	fprintf(stderr, "%s: syntax error before: %.40s\n", text->interface, reader.at);
	varlink_free(text);
	return NULL;
}

void varlink_free(VarlinkText *text)
{
	if (!text)
		return;
	for (size_t i = 0; i < text->count; i++) {
		type_free(text->definitions[i].in);
		type_free(text->definitions[i].out);
	}
	free(text);
}

const VarlinkDefinition *varlink_find(const VarlinkText *text, VarlinkWord word, const char *name)
{
	for (size_t i = 0; i < text->count; i++)
		if (text->definitions[i].word == word &&
		    strcmp(text->definitions[i].name, name) == 0)
			return &text->definitions[i];
	return NULL;
}

const VarlinkField *varlink_field(const VarlinkType *type, const char *name)
{
	for (const VarlinkField *field = type->fields; field; field = field->next)
		if (strcmp(field->name, name) == 0)
			return field;
	return NULL;
}

const VarlinkType *varlink_resolve(const VarlinkText *text, const VarlinkType *type)
{
	if (type->kind != VARLINK_NAMED)
		return type;
	const VarlinkDefinition *definition = varlink_find(text, VARLINK_TYPE, type->name);
	return definition ? definition->in : NULL;
}

VarlinkService varlink_service(void)
{
	VarlinkService service = { .count = interface_count };

	for (size_t i = 0; i < interface_count; i++)
		service.texts[i] = varlink_parse(interfaces[i].description);
	return service;
}

void varlink_service_deinit(VarlinkService *service)
{
	for (size_t i = 0; i < service->count; i++)
		varlink_free(service->texts[i]);
	*service = (VarlinkService){ 0 };
}

const VarlinkText *varlink_interface(const VarlinkService *service, const char *name)
{
	for (size_t i = 0; i < service->count; i++)
		if (strcmp(service->texts[i]->interface, name) == 0)
			return service->texts[i];
	return NULL;
}

static char flaw[256];

static const char *describe_flaw(const char *text, const char *where)
{
	snprintf(flaw, sizeof(flaw), "%s: %s", where, text);
	return flaw;
}

static const char *compare(const VarlinkText *text, const VarlinkType *type, const char *where,
			   const JsonValue *value);

static const char *compare_struct(const VarlinkText *text, const VarlinkType *type,
				  const char *where, const JsonValue *value)
{
	JsonMembers members = json_members(value);

	if (json_type_of(value) != JSON_OBJECT)
		return describe_flaw("not an object", where);
	while (json_members_next(&members)) {
		const VarlinkField *field = varlink_field(type, members.name);
		if (!field)
			return describe_flaw("not declared", members.name);
		const char *found = compare(text, field->type, field->name, members.value);
		if (found)
			return found;
	}
	for (const VarlinkField *field = type->fields; field; field = field->next)
		if (!field->type->optional && !json_member(value, field->name))
			return describe_flaw("missing", field->name);
	return NULL;
}

static const char *compare(const VarlinkText *text, const VarlinkType *named, const char *where,
			   const JsonValue *value)
{
	const VarlinkType *type = varlink_resolve(text, named);
	const char *found = NULL, *word;
	uint64_t number;
	bool boolean;
	double real;

	if (!type)
		return describe_flaw("type is not declared", where);
	switch (type->kind) {
	case VARLINK_STRING:
		return json_string(value) ? NULL : describe_flaw("not a string", where);
	case VARLINK_INT:
		return json_read_unsigned(value, &number) ? NULL
							  : describe_flaw("not an integer", where);
	case VARLINK_BOOL:
		return json_read_boolean(value, &boolean) ? NULL
							  : describe_flaw("not a boolean", where);
	case VARLINK_FLOAT:
		return json_read_real(value, &real) ? NULL : describe_flaw("not a number", where);
	case VARLINK_ARRAY:
		if (json_type_of(value) != JSON_ARRAY)
			return describe_flaw("not an array", where);
		for (size_t i = 0; i < json_array_size(value) && !found; i++)
			found = compare(text, type->element, where, json_array_at(value, i));
		return found;
	case VARLINK_STRUCT:
		return compare_struct(text, type, where, value);
	case VARLINK_ENUM:
		word = json_string(value);
		return word && varlink_field(type, word)
			       ? NULL
			       : describe_flaw("not a declared enum value", where);
	case VARLINK_NAMED:
		break;
	}
	return describe_flaw("type does not resolve", where);
}

/* Splits "interface.Name" and returns the interface, or NULL. */
static const VarlinkText *split(const VarlinkService *service, const char *full, const char **name)
{
	char interface[96];
	const char *dot = strrchr(full, '.');

	*name = dot ? dot + 1 : full;
	snprintf(interface, sizeof(interface), "%.*s", dot ? (int)(dot - full) : 0, full);
	return varlink_interface(service, interface);
}

static const char *error_flaw(const VarlinkService *service, const VarlinkText *method_text,
			      const char *error, const JsonValue *parameters)
{
	const char *name;
	const VarlinkText *text = split(service, error, &name);
	const VarlinkDefinition *definition = text ? varlink_find(text, VARLINK_ERROR, name) : NULL;

	if (!definition)
		return describe_flaw("error is not declared", error);
	if (method_text && text != method_text &&
	    strcmp(text->interface, "org.varlink.service") != 0 &&
	    strcmp(method_text->interface, "org.varlink.service") != 0 &&
	    strcmp(text->interface, "io.vaild") != 0)
		return describe_flaw("error belongs to another interface", error);
	return compare(text, definition->in, error, parameters);
}

const char *varlink_reply_flaw(const VarlinkService *service, const char *method,
			       const JsonValue *reply)
{
	const char *name = NULL;
	const VarlinkText *text = method ? split(service, method, &name) : NULL;
	const VarlinkDefinition *definition =
		text ? varlink_find(text, VARLINK_METHOD, name) : NULL;
	const JsonValue *parameters = json_member(reply, "parameters");
	const char *error = json_string(json_member(reply, "error"));
	JsonMembers members = json_members(reply);

	while (json_members_next(&members))
		if (strcmp(members.name, "error") != 0 && strcmp(members.name, "parameters") != 0 &&
		    strcmp(members.name, "continues") != 0)
			return describe_flaw("not a member of a reply", members.name);
	if (error)
		return error_flaw(service, text, error, parameters);
	if (!definition)
		return describe_flaw("success although the method does not exist",
				     method ? method : "?");
	return compare(text, definition->out, method, parameters);
}
