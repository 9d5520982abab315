/* SPDX-License-Identifier: MIT */
/* Decoding and encoding by tables: every type of field, every kind of fault and its path. */
#include <criterion/criterion.h>
#include <string.h>

#include "proto/json-table.h"
#include "proto/macros.h"

TestSuite(json_table);

typedef struct Item {
	uint64_t number;
	char *label;
} Item;

typedef struct Everything {
	uint8_t byte;
	uint64_t number;
	bool has_number;
	bool flag;
	const char *borrowed;
	char *owned;
	char letters[5];
	uint64_t address;
	Guid guid;
	Handle handle;
	uint64_t choice;
	Item inner;
	uint64_t pair[2];
	Item items[3];
	size_t item_count;
	uint32_t *groups;
	size_t group_count;
	Item *list;
	size_t list_count;
} Everything;

static const char *const colours[] = { "red", "green", NULL };

#define ROW(type, name, structure, member)                                           \
	JSON_FIELD(type, name, structure, member), .present_offset = JSON_NO_MEMBER, \
						   .count_offset = JSON_NO_MEMBER
#define ITEMS(item_type, item_name, member, item, counter, most)                           \
	.type = (item_type), .name = (item_name),                                          \
	.quoted = "\"" item_name "\":", .offset = offsetof(Everything, member),            \
	.size = sizeof(item), .present_offset = JSON_NO_MEMBER, .count_offset = (counter), \
	.maximum = (most)

static const JsonField item_fields[] = {
	{ ROW(JSON_FIELD_INTEGER, "number", Item, number), .is_required = true, .maximum = 9 },
	{ ROW(JSON_FIELD_OWNED_STRING, "label", Item, label), .maximum = 3 },
};
static const JsonTable item_table = { item_fields, ARRAY_SIZE(item_fields), false };

static const JsonField fields[] = {
	{ ROW(JSON_FIELD_INTEGER, "byte", Everything, byte), .is_required = true,
	  .maximum = INT64_MAX },
	{ JSON_FIELD(JSON_FIELD_INTEGER, "number", Everything, number),
	  .present_offset = offsetof(Everything, has_number), .count_offset = JSON_NO_MEMBER,
	  .maximum = INT64_MAX },
	{ ROW(JSON_FIELD_BOOLEAN, "flag", Everything, flag) },
	{ ROW(JSON_FIELD_STRING, "borrowed", Everything, borrowed), .maximum = 4 },
	{ ROW(JSON_FIELD_OWNED_STRING, "owned", Everything, owned), .maximum = 4 },
	{ ROW(JSON_FIELD_FULL_STRING, "letters", Everything, letters) },
	{ ROW(JSON_FIELD_ADDRESS, "address", Everything, address) },
	{ ROW(JSON_FIELD_GUID, "guid", Everything, guid) },
	{ ROW(JSON_FIELD_HANDLE, "handle", Everything, handle) },
	{ ROW(JSON_FIELD_CHOICE, "choice", Everything, choice), .choices = colours },
	{ ROW(JSON_FIELD_OBJECT, "inner", Everything, inner), .table = &item_table },
	{ ITEMS(JSON_FIELD_ARRAY, "pair", pair, uint64_t, JSON_NO_MEMBER, 2) },
	{ ITEMS(JSON_FIELD_ARRAY, "items", items, Item, offsetof(Everything, item_count), 3),
	  .table = &item_table },
	{ ITEMS(JSON_FIELD_LIST, "groups", groups, uint32_t, offsetof(Everything, group_count),
		UINT64_MAX),
	  .is_ascending = true },
	{ ITEMS(JSON_FIELD_LIST, "list", list, Item, offsetof(Everything, list_count), 2),
	  .table = &item_table },
};
static const JsonTable table = { fields, ARRAY_SIZE(fields), false };
static const JsonTable strict_table = { fields, ARRAY_SIZE(fields), true };

static JsonValue *parse(const char *text)
{
	JsonParser *parser = json_parser_new();
	const char *error;
	JsonValue *value = json_parse(parser, text, strlen(text), &error);

	cr_assert_null(error, "%s: %s", text, error);
	json_parser_free(parser);
	return value;
}

#define WHOLE                                                                                   \
	"{\"byte\":255,\"number\":7,\"flag\":true,\"borrowed\":\"abcd\",\"owned\":\"\","        \
	"\"letters\":\"XR24\",\"address\":\"0xffffffffffffffff\","                              \
	"\"guid\":\"af0dcd1a-a0fd-59a0-998e-cad0c3834a2c\","                                    \
	"\"handle\":\"0123456789abcdef0123456789abcdef\",\"choice\":\"green\","                 \
	"\"inner\":{\"number\":1},\"pair\":[2,3],\"items\":[{\"number\":4,\"label\":\"abc\"}]," \
	"\"groups\":[5,4294967295],\"list\":[{\"number\":6,\"label\":\"\"},{\"number\":7}]}"

Test(json_table, encoding_is_the_inverse_of_decoding)
{
	JsonValue *value = parse(WHOLE);
	Everything everything = { 0 };
	Buffer text = BUFFER_INIT;
	Writer writer = WRITER_INIT(&text);
	JsonFault fault;

	cr_assert(json_table_decode(&table, value, NULL, &everything, &fault), "%s", fault.path);
	cr_assert(everything.has_number);
	cr_assert_eq(everything.choice, 1u);
	cr_assert_eq(everything.group_count, 2u);
	cr_assert_str_eq(everything.list[0].label, "");
	cr_assert_null(everything.list[1].label);
	writer_object_begin(&writer);
	json_table_encode(&writer, &table, &everything);
	writer_object_end(&writer);
	writer_terminator(&writer, '\0');
	cr_assert_str_eq(buffer_head(&text), WHOLE);
	json_table_free(&table, &everything);
	buffer_deinit(&text);
	json_free(value);
}

Test(json_table, absent_members_leave_the_structure_unchanged)
{
	JsonValue *value = parse("{\"kind\":1,\"byte\":1,\"number\":null}");
	static const char *const ignored[] = { "kind", NULL };
	Everything everything = { .number = 5, .flag = true, .letters = "same" };
	JsonFault fault;

	cr_assert(json_table_decode(&table, value, ignored, &everything, &fault));
	cr_assert_eq(everything.byte, 1u);
	cr_assert_eq(everything.number, 5u);
	cr_assert_not(everything.has_number);
	cr_assert(everything.flag);
	cr_assert_str_eq(everything.letters, "same");
	json_free(value);
}

static const struct {
	const JsonTable *table;
	const char *text;
	JsonFaultKind kind;
	const char *member, *path, *sentence;
} faults[] = {
	{ &table, "{}", JSON_FAULT_MISSING, "byte", "byte", "is missing" },
	{ &table, "{\"byte\":null}", JSON_FAULT_MISSING, "byte", "byte", "is missing" },
	{ &strict_table, "{\"byte\":null}", JSON_FAULT_VALUE, "byte", "byte",
	  "is not an integer from 0 to 255" },
	{ &table, "{\"byte\":256}", JSON_FAULT_VALUE, "byte", "byte",
	  "is not an integer from 0 to 255" },
	{ &table, "{\"number\":9223372036854775808}", JSON_FAULT_VALUE, "number", "number",
	  "is not an integer from 0 to 9223372036854775807" },
	{ &table, "{\"kind\":null}", JSON_FAULT_UNKNOWN, "kind", "kind",
	  "is unknown; leave it out" },
	{ &table, "{\"flag\":1}", JSON_FAULT_VALUE, "flag", "flag", "is neither true nor false" },
	{ &table, "{\"borrowed\":1}", JSON_FAULT_VALUE, "borrowed", "borrowed", "is not a string" },
	{ &table, "{\"borrowed\":\"abcde\"}", JSON_FAULT_TOO_LONG, "borrowed", "borrowed",
	  "is longer than 4 bytes; shorten it" },
	{ &table, "{\"owned\":\"abcde\"}", JSON_FAULT_TOO_LONG, "owned", "owned",
	  "is longer than 4 bytes; shorten it" },
	{ &table, "{\"letters\":\"XR2\"}", JSON_FAULT_VALUE, "letters", "letters",
	  "is not a string of the right length" },
	{ &table, "{\"address\":\"4096\"}", JSON_FAULT_VALUE, "address", "address",
	  "is not a string of \"0x\" and 1 to 16 hex digits" },
	{ &table, "{\"guid\":\"\"}", JSON_FAULT_VALUE, "guid", "guid",
	  "is not a GUID; write it as 8-4-4-4-12 hex digits, not all zero" },
	{ &table, "{\"handle\":\"\"}", JSON_FAULT_VALUE, "handle", "handle",
	  "is not a handle; write it as 32 lower-case hex digits" },
	{ &table, "{\"choice\":\"blue\"}", JSON_FAULT_VALUE, "choice", "choice",
	  "is not one of red, green" },
	{ &table, "{\"inner\":[]}", JSON_FAULT_VALUE, "inner", "inner", "is not an object" },
	{ &table, "{\"inner\":{}}", JSON_FAULT_MISSING, "inner", "inner.number", "is missing" },
	{ &table, "{\"inner\":{\"number\":10}}", JSON_FAULT_VALUE, "inner", "inner.number",
	  "is not an integer from 0 to 9" },
	{ &table, "{\"pair\":{}}", JSON_FAULT_VALUE, "pair", "pair", "is not an array" },
	{ &table, "{\"pair\":[1]}", JSON_FAULT_TOO_FEW, "pair", "pair",
	  "has fewer than 2 items; send more" },
	{ &table, "{\"pair\":[1,2,3]}", JSON_FAULT_TOO_MANY, "pair", "pair",
	  "has more than 2 items; send fewer" },
	{ &table, "{\"pair\":[1,null]}", JSON_FAULT_VALUE, "pair", "pair[1]",
	  "is not an integer from 0 to 9223372036854775807" },
	{ &table, "{\"items\":[null]}", JSON_FAULT_VALUE, "items", "items[0]", "is not an object" },
	{ &table, "{\"list\":{}}", JSON_FAULT_VALUE, "list", "list", "is not an array" },
	{ &table, "{\"list\":[{\"number\":1},{\"number\":1,\"label\":\"abcd\"}]}",
	  JSON_FAULT_TOO_LONG, "list", "list[1].label", "is longer than 3 bytes; shorten it" },
	{ &table, "{\"groups\":[1,1]}", JSON_FAULT_ORDER, "groups", "groups[1]",
	  "is not greater than the item before it" },
	{ &table, "{\"groups\":[4294967296]}", JSON_FAULT_VALUE, "groups", "groups[0]",
	  "is not an integer from 0 to 4294967295" },
};

Test(json_table, faults_name_their_path_and_kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		JsonValue *value = parse(faults[i].text);
		Everything everything = { 0 };
		JsonFault fault;
		char text[200];

		cr_assert_not(json_table_decode(faults[i].table, value, NULL, &everything, &fault),
			      "%s", faults[i].text);
		cr_assert_eq(fault.kind, faults[i].kind, "%s", faults[i].text);
		cr_assert_str_eq(fault.member, faults[i].member, "%s", faults[i].text);
		cr_assert_str_eq(fault.path, faults[i].path, "%s", faults[i].text);
		cr_assert_str_eq(json_fault_format(&fault, text, sizeof(text)), faults[i].sentence,
				 "%s", faults[i].text);
		json_table_free(faults[i].table, &everything);
		json_free(value);
	}
}
