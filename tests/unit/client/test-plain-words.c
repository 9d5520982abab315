/* SPDX-License-Identifier: MIT */
/*
 * The sentences of vaild in plain words. One test reads all sentences in the source of vaild, so
 * that a sentence with a new name of the interface fails until plain-words.c has it.
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/plain-words.h"
#include "daemon/api/names.h"
#include "proto/interfaces.h"
#include "proto/macros.h"

TestSuite(plain_words);

/* ---- Names of the interface ---- */

static bool is_camel_case(const char *word, size_t length)
{
	for (size_t i = 1; i < length; i++)
		if (islower((unsigned char)word[i - 1]) && isupper((unsigned char)word[i]))
			return islower((unsigned char)word[0]);
	return false;
}

/* Tests whether an interface file declares the name, outside of its comments. */
static bool is_declared(const char *name, size_t length)
{
	for (size_t i = 0; i < interface_count; i++) {
		const char *line = interfaces[i].description, *end;

		for (; *line; line = *end ? end + 1 : end) {
			end = strchrnul(line, '\n');
			const char *found =
				*line == '#' ? NULL
					     : memmem(line, (size_t)(end - line), name, length);

			if (found && !isalnum((unsigned char)found[length]) &&
			    (found == line || !isalnum((unsigned char)found[-1])))
				return true;
		}
	}
	return false;
}

/* Returns the first name of the interface in the text, or NULL. */
static const char *find_wire_name(const char *text)
{
	const char *method = strstr(text, "io.vaild");
	size_t length;

	if (method)
		return method;
	for (; *text; text += length) {
		for (length = 0; isalnum((unsigned char)text[length]);)
			length++;
		if (is_camel_case(text, length) && is_declared(text, length))
			return text;
		length += length == 0;
	}
	return NULL;
}

Test(plain_words, the_search_for_names_finds_them)
{
	cr_assert_not_null(find_wire_name("give vmmPid"));
	cr_assert_not_null(find_wire_name("see io.vaild.Watch"));
	cr_assert_not_null(find_wire_name("which readWrite needs; open it"));
	cr_assert_null(find_wire_name("set allowUserMachines in vaild.json; call as root"));
}

/* ---- All sentences ---- */

/* Reads the string literal at *source, and those that follow it, and moves *source behind them. */
static void read_literal(const char **source, char *text, size_t size)
{
	size_t length = 0;
	const char *at = *source;

	while (*at == '"') {
		for (at++; *at && *at != '"'; at++) {
			if (*at == '\\')
				at++;
			if (length + 1 < size)
				text[length++] = *at;
		}
		*source = ++at;
		at += strspn(at, " \t\n");
	}
	text[length] = '\0';
}

static size_t check_sentence(const char *path, const char *sentence)
{
	char *plain = plain_sentence(sentence, NULL, NULL);

	cr_assert_not_null(plain);
	cr_assert_null(find_wire_name(plain), "%s: \"%s\": plain-words.c has no word for \"%s\"",
		       path, sentence, find_wire_name(plain));
	free(plain);
	return 1;
}

/* Returns the number of sentences: literals of several words. */
static size_t check_file(const char *path)
{
	static char source[256 * 1024], literal[4096];
	FILE *file = fopen(path, "re");
	size_t count = 0;

	cr_assert_not_null(file, "%s", path);
	size_t size = fread(source, 1, sizeof(source) - 1, file);
	fclose(file);
	cr_assert_lt(size, sizeof(source) - 1, "%s", path);
	source[size] = '\0';
	for (const char *at = source; *at;) {
		if (strncmp(at, "/*", 2) == 0) {
			at = strstr(at, "*/") + 2;
		} else if (*at == '\'') {
			at += at[1] == '\\' ? 4 : 3;
		} else if (*at == '"') {
			read_literal(&at, literal, sizeof(literal));
			if (strchr(literal, ' '))
				count += check_sentence(path, literal);
		} else {
			at++;
		}
	}
	return count;
}

Test(plain_words, no_sentence_of_vaild_has_a_name_of_the_interface)
{
	static const char *const patterns[] = {
		"daemon/core/*.c",  "daemon/core/va/*.c",       "daemon/api/*.c",
		"daemon/store/*.c", "proto/json-table-fault.c",
	};
	/* Only vailctl call reaches it, which prints the sentence of vaild. */
	static const char raw[] = "daemon/api/method-service.c";
	size_t count = 0;
	glob_t files;

	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
		cr_assert_eq(glob(patterns[i], i > 0 ? GLOB_APPEND : 0, NULL, &files), 0, "%s",
			     patterns[i]);
	for (size_t i = 0; i < files.gl_pathc; i++)
		if (strcmp(files.gl_pathv[i], raw) != 0)
			count += check_file(files.gl_pathv[i]);
	globfree(&files);
	cr_assert_gt(count, 150, "only %zu sentences were found", count);
}

/* ---- Parameters, subjects and advice ---- */

static void expect_plain(const char *expected, const char *sentence, const char *parameter,
			 Wording wording)
{
	char *plain = plain_sentence(sentence, parameter, &wording);

	cr_assert_str_eq(plain, expected);
	free(plain);
}

Test(plain_words, suggested_commands_name_the_machine)
{
	static const char refusal[] = "the VM is in quarantine; run: vailctl vm release VM";
	static const char other[] = "no VM; name it with: vailctl vm update VM --client-pid PID";

	expect_plain("a b: the VM is in quarantine; run: vailctl vm release \"a b\"", refusal, NULL,
		     (Wording){ .subject = "a b", .machine = "a b" });
	expect_plain("no VM; name it with: vailctl vm update desk --client-pid PID", other, NULL,
		     (Wording){ .machine = "desk" });
	expect_plain(other, other, NULL, (Wording){ 0 });
}

Test(plain_words, the_path_of_a_parameter_becomes_what_was_typed)
{
	expect_plain("--user nosuch is not a user of this host; give a name",
		     "displayClients[0].user is not a user of this host; give a name",
		     "displayClients[0].user", (Wording){ .subject = "--user nosuch" });
	expect_plain("the display client is not a user", "displayClients[0].user is not a user",
		     "displayClients[0].user", (Wording){ 0 });
	expect_plain("a plane of the object has a stride of 0",
		     "object.planes[0] has a stride of 0", "object.planes[0]", (Wording){ 0 });
	expect_plain("a value of the request is missing", "somethingNew is missing", "somethingNew",
		     (Wording){ 0 });
}

Test(plain_words, advice_replaces_that_of_vaild)
{
	expect_plain("x: no VM has this GUID; run it", "no VM has this GUID; start it; or not",
		     NULL, (Wording){ .subject = "x", .advice = "run it" });
	expect_plain("no VM has this GUID; run it", "no VM has this GUID", NULL,
		     (Wording){ .advice = "run it" });
}

Test(plain_words, words_are_replaced_as_a_whole)
{
	expect_plain("`vailctl registrations` lists them", "io.vaild.ListRegistrations lists them",
		     NULL, (Wording){ 0 });
	expect_plain("/run/io.vaild.ListRegistrations and myreadWrite stay",
		     "/run/io.vaild.ListRegistrations and myreadWrite stay", NULL, (Wording){ 0 });
}

Test(plain_words, each_reason_of_an_end_has_a_sentence)
{
	for (EndReason reason = 0; reason < END_MAX; reason++) {
		const char *name = end_reason_name(reason);

		cr_assert_not(is_camel_case(plain_reason(name), strlen(plain_reason(name))), "%s",
			      name);
	}
}

/* ---- Quotes ---- */

Test(plain_words, long_and_strange_text_is_quoted)
{
	char quoted[PLAIN_QUOTE_SIZE], text[400];

	cr_assert_str_eq(plain_quote("1b4e28ba-2fa1", quoted), "1b4e28ba-2fa1");
	cr_assert_str_eq(plain_quote("a b", quoted), "\"a b\"");
	cr_assert_str_eq(plain_quote("", quoted), "\"\"");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cr_assert_str_eq(plain_quote(text, quoted) + 78, "xxx...\"");
	for (size_t i = 0; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "ä", 2);
	text[398] = '\0';
	plain_quote(text, quoted);
	cr_assert_eq((unsigned char)quoted[strlen(quoted) - 5] & 0xc0, 0x80, "%s", quoted);
}

/* Returns what a shell makes of the suggested argument. The caller frees it. */
static char *shell_takes(const char *quoted)
{
	char command[SHELL_QUOTE_SIZE + 32], *text = NULL;
	size_t size = 0;

	snprintf(command, sizeof(command), "printf %%s %s", quoted);
	FILE *shell = popen(command, "re");
	cr_assert_not_null(shell);
	if (getdelim(&text, &size, '\0', shell) < 0 && text)
		text[0] = '\0';
	cr_assert_eq(pclose(shell), 0, "%s", command);
	return text;
}

Test(plain_words, a_shell_takes_a_suggested_argument_as_it_was_typed)
{
	static const char *const texts[] = {
		"guest", "my guest", "it's mine",        "$HOME `id` \\ \"x\"",
		"a!b",   "''",       "a;b&c|d>e *?~#()",
	};
	char quoted[SHELL_QUOTE_SIZE], text[300];

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_free_ char *taken = shell_takes(shell_quote(texts[i], quoted));
		cr_assert_str_eq(taken, texts[i]);
	}
	cr_assert_str_eq(shell_quote("guest", quoted), "guest");
	cr_assert_str_eq(shell_quote("my guest", quoted), "\"my guest\"");
	/* The longest name of a VM is whole, whatever its bytes are. */
	for (const char *byte = "n '"; *byte; byte++) {
		_cleanup_free_ char *taken = NULL;

		memset(text, *byte, 255);
		text[255] = '\0';
		taken = shell_takes(shell_quote(text, quoted));
		cr_assert_str_eq(taken, text);
	}
	/* The longest result fits, and ends with the quote. */
	memset(text, '\'', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	text[0] = '$';
	shell_quote(text, quoted);
	cr_assert_str_eq(quoted + strlen(quoted) - 8, "'\\''...'");
}

/* ---- Sentences ---- */

Test(plain_words, a_sentence_begins_with_a_capital_letter_but_a_name_keeps_its_own)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "the virtual machine has ended", "The virtual machine has ended" },
		{ "no picture is shared yet", "No picture is shared yet" },
		{ "this process is out of memory", "This process is out of memory" },
		{ "own: the VM is in quarantine", "own: the VM is in quarantine" },
		{ "the: the VM is in quarantine", "the: the VM is in quarantine" },
		{ "vaild at /run/x cannot be reached", "vaild at /run/x cannot be reached" },
		{ "\"no name\": no running VM", "\"no name\": no running VM" },
		{ "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[64];

		snprintf(text, sizeof(text), "%s", cases[i].text);
		sentence_begin(text);
		cr_assert_str_eq(text, cases[i].expected);
	}
}
