/* SPDX-License-Identifier: MIT */
#include "tests/support/json-cases.h"

#include <stdlib.h>
#include <string.h>

#include "proto/macros.h"

#define TEXT(verdict, string)                                                 \
	{                                                                     \
		verdict, string, sizeof(string) - 1, 0, NULL, JSON_ALONE_SAME \
	}

#define VALID(string)   TEXT(JSON_IS_VALID, string)
#define INVALID(string) TEXT(JSON_IS_INVALID, string)
#define ZERO(string)    TEXT(JSON_IS_ZERO, string)
#define TWICE(string)   TEXT(JSON_IS_TWICE, string)
#define PASSES(string)  TEXT(JSON_MAY_PASS, string)
#define FAILS(string)   TEXT(JSON_MAY_FAIL, string)

/*
 * The RFC leaves some texts to the parser. vaild accepts the escape of a surrogate alone, as
 * U+FFFD, and numbers of any size. It refuses text that is not UTF-8, a byte order mark, more than
 * 32 digits, and more than 16 levels.
 */
const JsonCase json_cases[] = {
	/* arrays */
	VALID("[]"),
	VALID("[ ]"),
	VALID("[\t\r\n ]"),
	VALID("[[]   ]"),
	VALID("[\"\"]"),
	VALID("[\"end\"]\n"),
	VALID("[false]"),
	VALID("[null, 7, \"7\", {}, [7]]"),
	VALID("[null]"),
	VALID("[8\n]"),
	VALID(" [8]"),
	VALID("[8] "),
	VALID("[8,null,null,null,9]"),
	VALID("[[[[[[8]]]]]]"),
	INVALID("[7 true]"),
	INVALID("[7\xc3]"),
	INVALID("[\"\": 8]"),
	INVALID("[\"\"],"),
	INVALID("[,8]"),
	INVALID("[8,,9]"),
	INVALID("[\"y\",,]"),
	INVALID("[\"y\"]]"),
	INVALID("[\"\",]"),
	INVALID("[\"y\""),
	INVALID("[y"),
	INVALID("[4[5]]"),
	INVALID("[\xfe]"),
	INVALID("[8:9]"),
	INVALID("[,]"),
	INVALID("[-]"),
	INVALID("[  , \"\"]"),
	INVALID("[\"b\",\n5\n,2,"),
	INVALID("[8,]"),
	INVALID("[8,,]"),
	INVALID("[\"\x0b"
		"b\"\\f]"),
	INVALID("[*]"),
	INVALID("[\"\""),
	INVALID("[8,"),
	INVALID("[8,\n8\n,8"),
	INVALID("[{}"),
	INVALID("[8}"),
	INVALID("[8;9]"),
	INVALID("[(8)]"),
	INVALID("[8 9]"),
	INVALID("[[]"),
	INVALID("[]]"),

	/* objects */
	VALID("{}"),
	VALID("{ }"),
	VALID("{\n\t}"),
	VALID("{\"k\":\"v\"}"),
	VALID("{\"k\":\"v\",\"l\":\"w\"}"),
	VALID("{\"\":8}"),
	VALID("{\"low\": -2.5e+30, \"high\": 2.5e+30}"),
	VALID("{\"s\":"
	      "\"0123456789012345678901234567890123456789012345678901234567890123456789012345678901"
	      "23456789012345678901234567890123456789\"}"),
	VALID("{\"k\":[]}"),
	VALID("{\"title\":\"\\u041f\\u0440\\u0438\"}"),
	VALID("{\n\"k\": \"v\"\n}"),
	VALID("{\"k\" : 8 , \"l\" : {\"k\" : {\"k\" : 9}}}"),
	VALID("{\"\\\"\":8}"),
	VALID("{\"a\":1,\"A\":2}"),
	VALID("{\"a\":{\"a\":{\"a\":1}}}"),
	VALID("[{\"a\":1},{\"a\":1}]"),
	VALID("{\"\xd0\xbf\":8}"),
	TWICE("{\"a\":\"k\",\"a\":\"l\"}"),
	TWICE("{\"a\":\"k\",\"a\":\"k\"}"),
	TWICE("{\"a\":1,\"\\u0061\":2}"),
	TWICE("{\"b\":0,\"a\":[],\"c\":null,\"a\":[]}"),
	ZERO("{\"k\\u0000\":8}"),
	ZERO("{\"\\u0000k\":8}"),
	INVALID("[\"y\", falsehood]"),
	INVALID("{[: \"y\"}"),
	INVALID("{\"y\", null}"),
	INVALID("{\"y\"::\"z\"}"),
	INVALID("{\xf0\x9f\x90\xa7}"),
	INVALID("{\"k\":\"v\" 8}"),
	INVALID("{k: 'v'}"),
	INVALID("{\"\xba\":\"8\",}"),
	INVALID("{\"k\" v}"),
	INVALID("{:\"v\"}"),
	INVALID("{\"k\" \"v\"}"),
	INVALID("{\"k\":"),
	INVALID("{\"k\""),
	INVALID("{8:8}"),
	INVALID("{8888E8888:8}"),
	INVALID("{null:null,null:null}"),
	INVALID("{\"k\":8,,,,,}"),
	INVALID("{'k':8}"),
	INVALID("{\"k\":8,}"),
	INVALID("{\"k\":\"v\"}/**/"),
	INVALID("{\"k\":\"v\"}/**//"),
	INVALID("{\"k\":\"v\"}//"),
	INVALID("{\"k\":\"v\"}/"),
	INVALID("{\"k\":\"v\",,\"l\":\"w\"}"),
	INVALID("{k: \"v\"}"),
	INVALID("{\"k\":\"v"),
	INVALID("{ \"k\" : \"v\", \"l\" }"),
	INVALID("{\"k\":\"v\"}#"),
	INVALID("{,\"k\":8}"),
	INVALID("{\"k\":8 \"l\":9}"),
	INVALID("{\"k\":8;\"l\":9}"),
	INVALID("{\"k\"=8}"),
	INVALID("{true:8}"),
	INVALID("{[]:8}"),
	INVALID("{{}:8}"),
	INVALID("{\"k\":}"),
	INVALID("{\"k\":8]"),
	INVALID("{\"k\"}"),
	INVALID("{}}"),

	/* numbers */
	VALID("[45e67]"),
	VALID("[0e+2]"),
	VALID("[0e2]"),
	VALID("[ 5]"),
	VALID("[-0."
	      "000000000000000000000000000000000000000000000000000000000000000000000000000000003]"),
	VALID("[30e2]"),
	VALID("[-0]"),
	VALID("[-456]"),
	VALID("[-2]"),
	VALID("[-0.0]"),
	VALID("[2E33]"),
	VALID("[2E-3]"),
	VALID("[2E+3]"),
	VALID("[456.78e9]"),
	VALID("[2e-3]"),
	VALID("[2e+3]"),
	VALID("[456]"),
	VALID("[456.789]"),
	VALID("[0]"),
	VALID("[0.5]"),
	VALID("[10]"),
	VALID("[9007199254740993]"),
	VALID("[1e0]"),
	VALID("[1e00]"),
	VALID("[1e-00]"),
	VALID("[0.0e0]"),
	INVALID("[++5678]"),
	INVALID("[+2]"),
	INVALID("[+Inf]"),
	INVALID("[-02]"),
	INVALID("[-2.0.]"),
	INVALID("[-3.]"),
	INVALID("[-NaN]"),
	INVALID("[.-2]"),
	INVALID("[.3e-4]"),
	INVALID("[0.2.3]"),
	INVALID("[0.4e+]"),
	INVALID("[0.4e]"),
	INVALID("[0.e2]"),
	INVALID("[0E+]"),
	INVALID("[0E]"),
	INVALID("[0e+]"),
	INVALID("[0e]"),
	INVALID("[2.0e+]"),
	INVALID("[2.0e-]"),
	INVALID("[2.0e]"),
	INVALID("[2 000.0]"),
	INVALID("[2eE3]"),
	INVALID("[3.e+4]"),
	INVALID("[3.e-4]"),
	INVALID("[3.e4]"),
	INVALID("[8.e+]"),
	INVALID("[Inf]"),
	INVALID("[NaN]"),
	INVALID("[\xef\xbc\x92]"),
	INVALID("[2+3]"),
	INVALID("[0x2]"),
	INVALID("[0x43]"),
	INVALID("[Infinity]"),
	INVALID("[0e+-2]"),
	INVALID("[-456.456bar]"),
	INVALID("[456\xc3]"),
	INVALID("[2e2\xc3]"),
	INVALID("[0\xc3]"),
	INVALID("[-Infinity]"),
	INVALID("[-bar]"),
	INVALID("[- 2]"),
	INVALID("[-034]"),
	INVALID("[-.456]"),
	INVALID("[-2y]"),
	INVALID("[2eb]"),
	INVALID("[2e\xc3]"),
	INVALID("[2.]"),
	INVALID("[.456]"),
	INVALID("[2.3b-4]"),
	INVALID("[2.5022341265e]"),
	INVALID("[2.9H-3]"),
	INVALID("[034]"),
	INVALID("[00]"),
	INVALID("[-00]"),
	INVALID("[0b1]"),
	INVALID("[0o7]"),
	INVALID("[1_000]"),
	INVALID("[1,5e]"),
	INVALID("[2e1.5]"),
	INVALID("[--2]"),
	INVALID("[2-]"),
	INVALID("[2e++3]"),
	INVALID("[$2]"),
	INVALID("[2f]"),
	INVALID("[2L]"),
	INVALID("[e2]"),
	INVALID("[-e2]"),
	PASSES("[234.567e-890]"),
	PASSES("[-2e+8888]"),
	PASSES("[2.5e+8888]"),
	PASSES("[-456456e200000]"),
	PASSES("[456456e200000]"),
	PASSES("[456e-20000000]"),
	PASSES("[-234234234234234234234234234234]"),
	PASSES("[234234234234234234234]"),
	PASSES("[18446744073709551616]"),
	FAILS("[0.5e00777777777777777777777777777777777777777777777777777777777777]"),
	FAILS("[-3478463347846334784633478463347846334784633478463]"),
	FAILS("[111111111111111111111111111111111]"),

	/* strings */
	VALID("[\"\\u0070\\u0123\\u1234\"]"),
	VALID("[\"\\uD802\\udc38\"]"),
	VALID("[\"\\ud84d\\ude35\\ud84d\\ude3d\"]"),
	VALID("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"),
	VALID("[\"\\\\u0000\"]"),
	VALID("[\"\\\"\"]"),
	VALID("[\"c/*d*/e/*f//g\"]"),
	VALID("[\"\\\\b\"]"),
	VALID("[\"\\\\t\"]"),
	VALID("[\"\\u0013\"]"),
	VALID("[\"\\uFFFE\"]"),
	VALID("[\"qwe\"]"),
	VALID("[ \"qwe\"]"),
	VALID("[\"\\uDBFE\\uDFFE\"]"),
	VALID("[\"new\\u00A0page\"]"),
	VALID("[\"\xf4\x8f\xbf\xbf\"]"),
	VALID("[\"\xef\xbf\xbf\"]"),
	VALID("[\"\\u002d\"]"),
	VALID("[\"\xcf\x84\"]"),
	VALID("[\"\xf0\x9b\xbf\xbe\"]"),
	VALID("[\"qwe \"]"),
	VALID("\" \""),
	VALID("[\"\\uD834\\uDD1F\"]"),
	VALID("[\"\\u0822\"]"),
	VALID("[\"\\u0124\"]"),
	VALID("[\"\xe2\x80\xa8\"]"),
	VALID("[\"\xe2\x80\xa9\"]"),
	VALID("[\"\\u0062\\u31ab\\u0041\"]"),
	VALID("[\"next\\u000Aline\"]"),
	VALID("[\"\x7f\"]"),
	VALID("[\"\\uA66E\"]"),
	VALID("[\"\\u005c\"]"),
	VALID("[\"\xe2\x8d\x83\xe3\x88\xb5\xe2\x8d\x83\"]"),
	VALID("[\"\\uDBFF\\uDFFE\"]"),
	VALID("[\"\\uD83F\\uDFFE\"]"),
	VALID("[\"\\u200C\"]"),
	VALID("[\"\\u2065\"]"),
	VALID("[\"\\uFDD1\"]"),
	VALID("[\"\\u0022\"]"),
	VALID("[\"\xe2\x82\xac\xf0\x9d\x84\x9f\"]"),
	VALID("[\"b\x7f"
	      "b\"]"),
	VALID("[\"\xc2\x80\"]"),
	VALID("[\"\xdf\xbf\"]"),
	VALID("[\"\xe0\xa0\x80\"]"),
	VALID("[\"\xed\x9f\xbf\"]"),
	VALID("[\"\xee\x80\x80\"]"),
	VALID("[\"\xf0\x90\x80\x80\"]"),
	VALID("[\"\\u0001\"]"),
	VALID("[\"[{}],:\"]"),
	VALID("[\"\\/\"]"),
	VALID("[\"/\"]"),
	VALID("[\"'\"]"),
	ZERO("[\"\\u0000\"]"),
	ZERO("[\"qwe\\u0000rty\"]"),
	ZERO("[\"\\u0041\\u0000\"]"),
	ZERO("\"\\u0000\""),
	PASSES("{\"\\uDFAB\":8}"),
	PASSES("[\"\\uDADB\"]"),
	PASSES("[\"\\uD889\\u2345\"]"),
	PASSES("[\"\\uD801\\n\"]"),
	PASSES("[\"\\uDd1fb\"]"),
	PASSES("[\"\\uD801\\uD801\\n\"]"),
	PASSES("[\"\\ud801\"]"),
	PASSES("[\"\\ud801qwe\"]"),
	PASSES("[\"\\uDd1f\\uD835\"]"),
	PASSES("[\"\\uDFAB\"]"),
	PASSES("[\"\\udc00\\ud800\"]"),
	FAILS("[\"\xe6\x97\xa5\xd2\xfb\"]"),
	FAILS("[\"\xe8\"]"),
	FAILS("[\"\x82\"]"),
	FAILS("[\"\xf4\xbf\xbf\xbe\"]"),
	FAILS("[\"\xc0\xae\"]"),
	FAILS("[\"\xc1\xbf\"]"),
	FAILS("[\"\xe0\x80\xae\"]"),
	FAILS("[\"\xf0\x80\x80\xae\"]"),
	FAILS("[\"\xfc\x83\xbf\xbf\xbf\xbe\"]"),
	FAILS("[\"\xfc\x80\x80\x80\x80\x80\"]"),
	FAILS("[\"\xe0\xfe\"]"),
	FAILS("[\"\xfe\"]"),
	FAILS("[\"\xff\"]"),
	FAILS("[\"\xed\xa1\x80\"]"),
	FAILS("[\"\xed\xbf\xbf\"]"),
	FAILS("[\"\xf5\x80\x80\x80\"]"),
	FAILS("[\"\xc3\"]"),
	FAILS("[\"\xe2\x82\"]"),
	FAILS("[\"\xf0\x9d\x84\"]"),
	FAILS("{\"\xe8\":8}"),
	FAILS("\xff\xfe[\x00\"\x00\xf6\x00\"\x00]\x00"),
	FAILS("\x00[\x00\"\x00\xf6\x00\"\x00]"),
	FAILS("[\x00\"\x00\xf6\x00\"\x00]\x00"),
	INVALID("[\"\\uD801\\\"]"),
	INVALID("[\"\\uD801\\u\"]"),
	INVALID("[\"\\uD801\\u2\"]"),
	INVALID("[\"\\uD801\\u2y\"]"),
	INVALID("[\xc3\xa8]"),
	INVALID("[\"\\\x00\"]"),
	INVALID("[\"\\x01\"]"),
	INVALID("[\"\\\\\\\"]"),
	INVALID("[\"\\\t\"]"),
	INVALID("[\"\\\xf0\x9f\x8c\x81\"]"),
	INVALID("[\"\\\"]"),
	INVALID("[\"\\u00B\"]"),
	INVALID("[\"\\uD835\\uDe\"]"),
	INVALID("[\"\\uD801\\uD801\\y\"]"),
	INVALID("[\"\\u\xc3\"]"),
	INVALID("[\"\\b\\q\"]"),
	INVALID("[\"\\uwxyz\"]"),
	INVALID("[\"\\\xc3\"]"),
	INVALID("[\\u0021\"qwe\"]"),
	INVALID("[\\t]"),
	INVALID("\""),
	INVALID("['one quote']"),
	INVALID("qwe"),
	INVALID("[\"\\"),
	INVALID("[\"b\x00"
		"b\"]"),
	INVALID("[\"old\nline\"]"),
	INVALID("[\"\t\"]"),
	INVALID("\"\\UA66E\""),
	INVALID("\"\"y"),
	INVALID("[\"\x01\"]"),
	INVALID("[\"\x1f\"]"),
	INVALID("[\"\r\"]"),
	INVALID("[\"qwe"),
	INVALID("[\"\\0\"]"),
	INVALID("[\"\\'\"]"),
	INVALID("[\"\\u 123\"]"),
	INVALID("[\"\\u+123\"]"),
	INVALID("[\"\\u12\"]"),
	INVALID("\"qwe"),
	INVALID("`qwe`"),
	INVALID("[\"qwe\" \"rty\"]"),
	INVALID("[\"\\\n\"]"),

	/* texts */
	VALID("false"),
	VALID("43"),
	VALID("-0.2"),
	VALID("null"),
	VALID("\"qwe\""),
	VALID("true"),
	VALID("\"\""),
	VALID("[true]"),
	VALID(" [] "),
	VALID("\t{}\r\n"),
	VALID("0"),
	VALID("-0"),
	VALID("3e2"),
	VALID("\n\n[]"),
	INVALID("<.>"),
	INVALID("[<null>]"),
	INVALID("[8]y"),
	INVALID("[8]]"),
	INVALID("[\"qwe]"),
	INVALID("b\xc3\xa6"),
	INVALID("[True]"),
	INVALID("[TRUE]"),
	INVALID("8]"),
	INVALID("{\"y\": true,"),
	INVALID("[][]"),
	INVALID("]"),
	INVALID("}"),
	INVALID(","),
	INVALID(":"),
	INVALID("\xef\xbb{}"),
	INVALID("\xc3"),
	INVALID("["),
	INVALID("[\x00]"),
	INVALID("3@"),
	INVALID("{\"\":"),
	INVALID("{\"k\":/*note*/\"v\"}"),
	INVALID("{\"k\": true} \"y\""),
	INVALID("['"),
	INVALID("[,"),
	INVALID("[{"),
	INVALID("[\"b"),
	INVALID("[\"b\""),
	INVALID("{"),
	INVALID("{]"),
	INVALID("{,"),
	INVALID("{["),
	INVALID("{\"b"),
	INVALID("{'b'"),
	INVALID("[\"\\{[\"\\{[\"\\{"),
	INVALID("\xe8"),
	INVALID("*"),
	INVALID("{\"k\":\"v\"}#{}"),
	INVALID("[\xe2\x81\xa1]"),
	INVALID("[\\u000B\"\"]"),
	INVALID("[2"),
	INVALID("[ false, nul"),
	INVALID("[ true, fals"),
	INVALID("[ false, tru"),
	INVALID("{\"qwe\":\"qwe\""),
	INVALID("\xc3\xa6"),
	INVALID("\xef\xbb\xbf"),
	INVALID("[\x0c]"),
	INVALID("[\xc2\xa0]"),
	INVALID("[\xe2\x80\xa8]"),
	INVALID("[nul]"),
	INVALID("[fals]"),
	INVALID("[tru]"),
	INVALID("[truth]"),
	INVALID("[nullnull]"),
	INVALID("nulls"),
	INVALID("truefalse"),
	INVALID("undefined"),
	INVALID("// note\n[]"),
	INVALID("#!\n[]"),
	INVALID("--"),
	INVALID("\x0b[]"),
	INVALID("\x1f[]"),
	INVALID("{}{}"),
	INVALID("{} []"),
	INVALID("1 2"),
	INVALID("\"a\" \"b\""),
	INVALID("true false"),
	INVALID("&"),
	INVALID("\\"),
	INVALID("[8]\x0b"),
	INVALID("\x7f"),
	FAILS("\xef\xbb\xbf{}"),
	FAILS("\xfe\xff"),
	FAILS("\xff\xfe"),

	/* other texts, and long ones */
	{ JSON_IS_INVALID, "", 0, 0, NULL, JSON_ALONE_BLANK },
	{ JSON_IS_INVALID, " ", 1, 0, NULL, JSON_ALONE_BLANK },
	{ JSON_IS_INVALID, "\t\r", 2, 0, NULL, JSON_ALONE_BLANK },
	{ JSON_IS_INVALID, "456\x00", 4, 0, NULL, JSON_ALONE_VALUE },
	{ JSON_IS_INVALID, "{}\x00", 3, 0, NULL, JSON_ALONE_VALUE },
	{ JSON_IS_INVALID, "[", 1, 100000, NULL, JSON_ALONE_SAME },
	{ JSON_IS_INVALID, "[{\"\":", 5, 50000, NULL, JSON_ALONE_SAME },
	{ JSON_MAY_FAIL, "[", 1, 500, "]", JSON_ALONE_SAME },
	{ JSON_MAY_FAIL, "{\"k\":", 5, 17, "0}", JSON_ALONE_SAME },
};

const size_t json_case_count = ARRAY_SIZE(json_cases);

/* The text stands between these two. */
static const struct {
	const char *before, *after;
} places[JSON_PLACE_MAX] = {
	[JSON_AS_MESSAGE] = { "", "" },
	[JSON_AS_PARAMETERS] = {
		"{\"method\":\"org.varlink.service.GetInfo\",\"parameters\":",
		"}",
	},
	[JSON_AS_PARAMETER] = {
		"{\"method\":\"io.vaild.ListSharedObjects\",\"parameters\":{\"x\":",
		"}}",
	},
	[JSON_AS_IGNORED_MEMBER] = {
		"{\"method\":\"org.varlink.service.GetInfo\",\"x\":{\"y\":",
		"}}",
	},
};

static const char second[] = "{\"method\":\"org.varlink.service.GetInfo\"}";

static void append(Buffer *out, const char *bytes, size_t size)
{
	if (!buffer_append(out, bytes, size))
		abort();
}

void json_case_write(const JsonCase *json_case, JsonPlace place, char terminator, Buffer *out)
{
	size_t count = json_case->repeat > 0 ? json_case->repeat : 1;
	const char *tail = json_case->tail ? json_case->tail : "";

	append(out, places[place].before, strlen(places[place].before));
	for (size_t i = 0; i < count; i++)
		append(out, json_case->text, json_case->size);
	for (size_t i = 0; i < count; i++)
		append(out, tail, strlen(tail));
	append(out, places[place].after, strlen(places[place].after));
	append(out, &terminator, 1);
	append(out, second, strlen(second));
	append(out, &terminator, 1);
}

static bool has(const char *reply, size_t size, const char *text)
{
	return memmem(reply, size, text, strlen(text));
}

static bool begins(const char *reply, size_t size, const char *text)
{
	return size >= strlen(text) && memcmp(reply, text, strlen(text)) == 0;
}

/* Returns the size of the first reply with its terminator, or 0 if there is none. */
static size_t reply_size(const char *replies, size_t size, char terminator)
{
	const char *end = size > 0 ? memchr(replies, terminator, size) : NULL;

	return end ? (size_t)(end - replies) + 1 : 0;
}

static bool is_malformed(const JsonCase *json_case, JsonPlace place)
{
	if (place == JSON_AS_MESSAGE && json_case->alone != JSON_ALONE_SAME)
		return false;
	return json_case->verdict == JSON_IS_INVALID || json_case->verdict == JSON_IS_ZERO ||
	       json_case->verdict == JSON_MAY_FAIL;
}

/*
 * The one reply must say why, and nothing may follow. If the end of the message has arrived later
 * than the fault, the reply may end in LF NUL, which a client takes for NUL.
 */
static const char *malformed_flaw(const JsonCase *json_case, char terminator, const char *replies,
				  size_t size)
{
	char expected = memchr(json_case->text, '\0', json_case->size) ? '\0' : terminator;

	if (!begins(replies, size, "{\"error\":\"io.vaild.InvalidParameter\",") ||
	    !has(replies, size, "\"message\":\"") || has(replies, size, "\"parameter\":"))
		return "the error is missing";
	if (reply_size(replies, size, expected) != size ||
	    (replies[size - 2] != '}' && replies[size - 2] != '\n'))
		return "the error does not end as it should";
	return NULL;
}

/* Checks the reply to the message itself. */
static bool reply_is_right(const JsonCase *json_case, JsonPlace place, const char *reply,
			   size_t size)
{
	static const char error[] = "{\"error\":\"io.vaild.InvalidParameter\",";

	if (json_case->verdict == JSON_IS_TWICE) {
		static const char *const paths[] = {
			[JSON_AS_MESSAGE] = "\"parameter\":\"a\"",
			[JSON_AS_PARAMETERS] = "\"parameter\":\"a\"",
			[JSON_AS_PARAMETER] = "\"parameter\":\"x.a\"",
			[JSON_AS_IGNORED_MEMBER] = "\"parameter\":\"x.y.a\"",
		};

		return begins(reply, size, error) && has(reply, size, paths[place]);
	}
	switch (place) {
	case JSON_AS_MESSAGE:
		return begins(reply, size, error) && has(reply, size, "\"parameter\":\"method\"");
	case JSON_AS_PARAMETERS: /* GetInfo takes none, so only an empty object is right */
		return has(reply, size, "\"vendor\":") ||
		       begins(reply, size, "{\"error\":\"org.varlink.service.InvalidParameter\"");
	case JSON_AS_PARAMETER:
		return begins(reply, size, error) && has(reply, size, "\"parameter\":\"x\"");
	default:
		return has(reply, size, "\"vendor\":");
	}
}

const char *json_case_flaw(const JsonCase *json_case, JsonPlace place, char terminator,
			   const char *replies, size_t size)
{
	if (is_malformed(json_case, place))
		return malformed_flaw(json_case, terminator, replies, size);
	if (place != JSON_AS_MESSAGE || json_case->alone != JSON_ALONE_BLANK) {
		bool has_own = place == JSON_AS_MESSAGE && json_case->alone == JSON_ALONE_VALUE;
		size_t first = reply_size(replies, size, has_own ? '\0' : terminator);

		if (first == 0 || !reply_is_right(json_case, place, replies, first))
			return "the reply is wrong or does not end as it should";
		replies += first;
		size -= first;
	}
	if (size == 0 || reply_size(replies, size, terminator) != size ||
	    !has(replies, size, "\"vendor\":"))
		return "the next request is not served";
	return NULL;
}
