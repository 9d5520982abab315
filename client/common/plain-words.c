/* SPDX-License-Identifier: MIT */
#include "client/common/plain-words.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/macros.h"

typedef struct PlainWord {
	const char *wire;
	const char *plain;
} PlainWord;

/* The names of the interface that sentences contain, behind the path of a parameter. */
static const PlainWord words[] = {
	{ "io.vaild.Gpu.CreateContext", "`vailctl exec`" },
	{ "io.vaild.Gpu.ListAdapters", "`vailctl adapters`" },
	{ "io.vaild.ListRegistrations", "`vailctl registrations`" },
	{ "io.vaild.Machine.AssignVirtualGpu", "`vailctl vgpu assign`" },
	{ "baseAddress", "the base address" },
	{ "maximumAddress", "the highest address" },
	{ "noAccess", "\"no access\"" },
	{ "pageTableIndexBitCount", "the index bits of all levels" },
	{ "readWrite", "\"read and write\"" },
	{ "sizeInBytes", "the size" },
};

/* Names for parameters, used if the program does not know the typed text. */
static const PlainWord parameters[] = {
	{ "virtualMachineGuid", "the GUID" },
	{ "vmmPid", "the VMM's pid" },
	{ "pid", "the pid" },
	{ "displayClients", "the display client" },
	{ "agent", "the agent" },
	{ "name", "the name" },
	{ "profile", "the profile" },
	{ "reason", "the reason" },
	{ "adapter", "the adapter's handle" },
	{ "virtualGpu", "the virtual GPU's handle" },
	{ "handle", "the object's handle" },
	{ "process", "the GPU process's handle" },
	{ "context", "the context's handle" },
	{ "display", "the display channel's handle" },
	{ "rights", "the rights on the display" },
	{ "damage", "the changed rectangle" },
	{ "object.planes", "a plane of the object" },
	{ "object.fence", "the object's fence" },
	{ "object.width", "the object's width" },
	{ "object.height", "the object's height" },
	{ "object.format", "the object's format" },
	{ "object.name", "the object's name" },
	{ "object", "the object" },
};

/* The reasons for which an entity ends. */
static const PlainWord reasons[] = {
	{ "processExited", "the process has exited" },
	{ "vmmExited", "the VM's VMM has exited" },
	{ "virtualMachineUnregistered", "the VM was removed" },
	{ "virtualMachineDisplaced", "an operator has added another VM with this GUID" },
	{ "lastVirtualGpuRemoved", "the VM has lost its last virtual GPU" },
	{ "privilegesChanged", "the process has no longer the privileges of a display client" },
	{ "adapterRemoved", "the adapter was removed" },
	{ "driverGone", "the adapter's driver has gone" },
	{ "sharerExited", "the process that shared the object has exited" },
	{ "functionClosed", "the VMM no longer has the GPU's function open" },
	{ "overBudget", "the object has grown over the limit of shared memory" },
	{ "agentGone", "the VM's agent serves its display no longer" },
	{ "rightsWithdrawn", "a right on the display was withdrawn" },
	{ "daemonStopped", "vaild was stopped" },
};

/* A parameter of a method that no program calls, except on behalf of "vailctl call". */
static const char other_parameter[] = "a value of the request";

/* Tests whether the path names the parameter, or a part of it. */
static bool is_within(const char *path, const char *parameter)
{
	size_t length = strlen(parameter);

	return strncmp(path, parameter, length) == 0 &&
	       (path[length] == '\0' || path[length] == '.' || path[length] == '[');
}

static const char *parameter_word(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(parameters); i++)
		if (is_within(path, parameters[i].wire))
			return parameters[i].plain;
	return other_parameter;
}

static bool is_name_character(char character)
{
	return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
	       (character >= '0' && character <= '9') || character == '_' || character == '/';
}

/* Returns the word at the start of the text that is a name of the interface, or NULL. */
static const PlainWord *find_word(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t length = strlen(words[i].wire);

		if (strncmp(text, words[i].wire, length) == 0 && !is_name_character(text[length]))
			return &words[i];
	}
	return NULL;
}

/* Tests whether the text at this place is the VM of a suggested command. */
static bool is_machine_of_command(const char *text, size_t at)
{
	static const char *const commands[] = { "vailctl vm update ", "vailctl vm release ",
						"vailctl vgpu assign " };

	if (strncmp(text + at, "VM", 2) != 0 || is_name_character(text[at + 2]))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		size_t length = strlen(commands[i]);

		if (at >= length && strncmp(text + at - length, commands[i], length) == 0)
			return true;
	}
	return false;
}

/* machine: see Wording. */
static void write_plain(FILE *out, const char *text, size_t length, const char *machine)
{
	char quoted[SHELL_QUOTE_SIZE];

	for (size_t i = 0; i < length;) {
		bool begins = i == 0 || !is_name_character(text[i - 1]);
		const PlainWord *word = begins ? find_word(text + i) : NULL;

		if (machine && is_machine_of_command(text, i)) {
			fputs(shell_quote(machine, quoted), out);
			i += strlen("VM");
		} else if (word) {
			fputs(word->plain, out);
			i += strlen(word->wire);
		} else {
			fputc(text[i++], out);
		}
	}
}

/* Returns the length of the parameter's path and a space, if the sentence begins with them. */
static size_t path_length(const char *sentence, const char *parameter)
{
	size_t length = parameter ? strlen(parameter) : 0;

	return length > 0 && strncmp(sentence, parameter, length) == 0 && sentence[length] == ' '
		       ? length + 1
		       : 0;
}

char *plain_sentence(const char *sentence, const char *parameter, const Wording *wording)
{
	const char *subject = wording ? wording->subject : NULL;
	const char *advice = wording ? wording->advice : NULL;
	const char *fault = sentence + path_length(sentence, parameter);
	const char *end = advice ? strstr(fault, "; ") : NULL;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	if (fault != sentence)
		fprintf(out, "%s ", subject ? subject : parameter_word(parameter));
	else if (subject)
		fprintf(out, "%s: ", subject);
	write_plain(out, fault, end ? (size_t)(end - fault) : strlen(fault),
		    wording ? wording->machine : NULL);
	if (advice)
		fprintf(out, "; %s", advice);
	bool failed = ferror(out) != 0;
	if (fclose(out) == 0 && !failed)
		return text;
	free(text);
	return NULL;
}

const char *plain_reason(const char *reason)
{
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (strcmp(reasons[i].wire, reason) == 0)
			return reasons[i].plain;
	return reason;
}

const char *plain_ending(const char *reason)
{
	if (!reason || !*reason)
		return "vaild gave no reason";
	if (strcmp(reason, "revoked") == 0)
		return "the registration was revoked";
	if (strcmp(reason, "quarantined") == 0)
		return "the VM was put in quarantine";
	return plain_reason(reason);
}

void sentence_begin(char *sentence)
{
	/* With the space, because a colon follows the name of a VM. */
	static const char *const beginnings[] = { "the ", "this ", "no ", "cannot ", "out of " };

	for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++)
		if (strncmp(sentence, beginnings[i], strlen(beginnings[i])) == 0)
			sentence[0] = (char)toupper(sentence[0]);
}

/* The longest text that a message quotes in full, in bytes. */
#define QUOTE_MAX 80

/* The same for a command to paste, which needs each name in full. */
#define SHELL_TEXT_MAX 255

/* Tests whether the text has at most maximum bytes, and no shell changes any of them. */
static bool is_plain(const char *text, size_t maximum)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-_./@:{}";
	size_t length = strlen(text);

	return length > 0 && length <= maximum && strspn(text, plain) == length;
}

/* Returns the number of bytes to quote, at most maximum. They end with a whole character. */
static size_t quoted_length(const char *text, size_t maximum)
{
	size_t length = strlen(text);

	if (length > maximum)
		for (length = maximum; length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80;
		     length--)
			;
	return length;
}

char *plain_quote(const char *text, char quoted[static PLAIN_QUOTE_SIZE])
{
	size_t length = strlen(text), cut = quoted_length(text, QUOTE_MAX);

	if (is_plain(text, QUOTE_MAX)) {
		snprintf(quoted, PLAIN_QUOTE_SIZE, "%s", text);
		return quoted;
	}
	snprintf(quoted, PLAIN_QUOTE_SIZE, "\"%.*s%s\"", (int)cut, text, cut < length ? "..." : "");
	return quoted;
}

char *shell_quote(const char *text, char quoted[static SHELL_QUOTE_SIZE])
{
	size_t length = quoted_length(text, SHELL_TEXT_MAX);
	const char *rest = text[length] != '\0' ? "..." : "";
	char *end = quoted;

	if (is_plain(text, SHELL_TEXT_MAX)) {
		snprintf(quoted, SHELL_QUOTE_SIZE, "%s", text);
		return quoted;
	}
	/* Between double quotes, a shell changes only text with one of these characters. */
	if (strcspn(text, "\"$`\\!") >= length) {
		snprintf(quoted, SHELL_QUOTE_SIZE, "\"%.*s%s\"", (int)length, text, rest);
		return quoted;
	}
	*end++ = '\'';
	for (size_t i = 0; i < length; i++)
		end = text[i] == '\'' ? stpcpy(end, "'\\''") : mempcpy(end, text + i, 1);
	stpcpy(stpcpy(end, rest), "'");
	return quoted;
}
