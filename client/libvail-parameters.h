/* SPDX-License-Identifier: MIT */
#ifndef LIBVAIL_PARAMETERS_H
#define LIBVAIL_PARAMETERS_H

/* What the typed calls share: writing the parameters of a call, and reading what a reply holds. */

#include <stdint.h>
#include <sys/types.h>

#include "buffer.h"
#include "json.h"
#include "members.h"
#include "vail.h"
#include "writer.h"

/* ---- Writing ---- */

/* The parameters of one call while they are being written. */
typedef struct Parameters {
	Buffer text;
	Writer writer;
	const char *wrong; /* why the call cannot be made: one is NULL and must not be, or no pid */
} Parameters;

/* The writer writes into the struct itself: it must not be copied. */
void parameters_begin(Parameters *parameters);
void parameters_deinit(Parameters *parameters);

/* Each of them leaves out what is absent. */
#define put_string(parameters, name, value)                          \
	do {                                                         \
		const char *_text = (value);                         \
		if (_text) {                                         \
			writer_key(&(parameters)->writer, name);     \
			writer_string(&(parameters)->writer, _text); \
		}                                                    \
	} while (0)

#define put_required(parameters, name, value)                                  \
	do {                                                                   \
		if (!(value))                                                  \
			(parameters)->wrong = name " is NULL; it is required"; \
		put_string(parameters, name, value);                           \
	} while (0)

#define put_pid(parameters, name, value)                                                      \
	do {                                                                                  \
		pid_t _pid = (value);                                                         \
		if (_pid < 0)                                                                 \
			(parameters)->wrong = name " is negative; name a process by its pid"; \
		if (_pid > 0)                                                                 \
			put_number(parameters, name, (uint64_t)_pid);                         \
	} while (0)

/* A number, and an address, that are there even when they are 0. */
#define put_number(parameters, name, value)                      \
	do {                                                     \
		writer_key(&(parameters)->writer, name);         \
		writer_unsigned(&(parameters)->writer, (value)); \
	} while (0)

#define put_address(parameters, name, value)                    \
	do {                                                    \
		writer_key(&(parameters)->writer, name);        \
		writer_address(&(parameters)->writer, (value)); \
	} while (0)

/* The same where 0 means absent. */
#define put_number_unless_0(parameters, name, value)           \
	do {                                                   \
		uint64_t _number = (value);                    \
		if (_number != 0)                              \
			put_number(parameters, name, _number); \
	} while (0)

#define put_address_unless_0(parameters, name, value)            \
	do {                                                     \
		uint64_t _address = (value);                     \
		if (_address != 0)                               \
			put_address(parameters, name, _address); \
	} while (0)

/* Ends what was written and refuses what is wrong with it. *ret_text is the parameters' own. */
NTSTATUS parameters_end(struct vail *vail, Parameters *parameters, const char **ret_text);

/* Calls with what was written. The reply is as of vail_call_value(). */
NTSTATUS parameters_call(struct vail *vail, const char *method, Parameters *parameters,
			 JsonValue **ret_message, JsonValue **ret_reply);

/* The same for a method whose reply holds nothing but its status. */
NTSTATUS parameters_call_plain(struct vail *vail, const char *method, Parameters *parameters);

/* STATUS_INVALID_PARAMETER, for a struct of another size; init begins one. */
NTSTATUS refuse_size(struct vail *vail, const char *init);

/* ---- Reading ---- */

/* Where the name stands among the names, of which the first is NULL; 0 where it does not. */
size_t find_name(const char *const *names, size_t count, const char *name);

/* As the functions of members.h. */
uint64_t member_address(const JsonValue *object, const char *name);

/* Copies what a reply must hold; STATUS_INVALID_NETWORK_RESPONSE where it does not. The result may
 * be NULL. */
NTSTATUS read_handle(struct vail *vail, const JsonValue *reply, const char *name, char *ret_handle);
NTSTATUS read_address(struct vail *vail, const JsonValue *reply, const char *name,
		      uint64_t *ret_address);

#endif
