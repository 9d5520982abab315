/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_PLAIN_WORDS_H
#define CLIENT_COMMON_PLAIN_WORDS_H

/*
 * The sentences of vaild in the words of a person who typed commands and options. vaild's own words
 * are for authors of clients: they name parameters and methods of its interface.
 *
 * A sentence consists of the fault and, after the first "; ", of advice. The fault of an invalid
 * parameter begins with the parameter's path. plain-words.c has a table of all other names of the
 * interface that sentences contain. A unit test reads all sentences in the source of vaild.
 */

/* The part of a message that only the program knows. A NULL member changes nothing. */
typedef struct Wording {
	const char *subject; /* what the person typed for the parameter, or for the request */
	const char *advice;  /* replaces the advice of vaild */
	const char
		*machine; /* what the person typed for the VM; replaces VM in suggested commands */
} Wording;

/*
 * Returns the sentence in plain words, for the caller to free, or NULL if out of memory.
 *
 * parameter: the path of the invalid parameter, like "displayClients[0].user"; may be NULL.
 * wording: may be NULL.
 */
char *plain_sentence(const char *sentence, const char *parameter, const Wording *wording);

/*
 * Returns a sentence for the reason of an event, like "vmmExited". A reason that is unknown, for
 * example the text of an operator, is returned unchanged.
 */
const char *plain_reason(const char *reason);

/* Returns a sentence for the reason of the end of a registration. reason: may be NULL. */
const char *plain_ending(const char *reason);

/*
 * Lets the sentence begin with a capital letter, unless its first word may be a name, such as that
 * of a VM or a program.
 */
void sentence_begin(char *sentence);

/* Buffer size for quoted text. */
#define PLAIN_QUOTE_SIZE 96

/*
 * Writes the text in double quotes, cut if it is long, or without them if it is plain, like a GUID.
 * Returns the buffer.
 */
char *plain_quote(const char *text, char quoted[static PLAIN_QUOTE_SIZE]);

/* Buffer size for an argument of a command: each byte of a name may become four. */
#define SHELL_QUOTE_SIZE 1040

/*
 * Writes the text as an argument of a command that a message suggests, so that a shell takes the
 * pasted command as it is meant. Text of more than 255 bytes, which is no name, is cut. Returns the
 * buffer.
 */
char *shell_quote(const char *text, char quoted[static SHELL_QUOTE_SIZE]);

#endif
