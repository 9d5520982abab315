/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_LIBVAIL_PARAMETERS_H
#define CLIENT_LIBVAIL_PARAMETERS_H

/* Shared by the typed calls: writing the parameters of a call and reading its reply. */

#include <stdint.h>
#include <sys/types.h>

#include "client/common/json-members.h"
#include "proto/buffer.h"
#include "proto/json-writer.h"
#include "proto/json.h"
#include <vail.h>

/* ---- Writing ---- */

/* The parameters of one call being written. */
typedef struct Parameters {
	Buffer text;
	Writer writer;
	const char *wrong; /* why the call is invalid, as a sentence; NULL if it is valid */
} Parameters;

/* Begins an object. The writer points into the struct, so the struct must not be copied. */
void parameters_begin(Parameters *parameters);
void parameters_deinit(Parameters *parameters);

/* Write a string, or a pid; absent (NULL or 0) values are omitted, except by put_required(). */
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

/* Write a number or an address, even if it is 0. */
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

/* The same, but omit 0. */
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

/*
 * Ends the object and stores its text, which the parameters own, in *ret_text. Returns
 * STATUS_SUCCESS; otherwise sets the error and returns STATUS_INVALID_PARAMETER or
 * STATUS_NO_MEMORY.
 */
NTSTATUS parameters_end(struct vail *vail, Parameters *parameters, const char **ret_text);

/* Calls a method with the parameters. Results and status are those of call_blocking(). */
NTSTATUS parameters_call(struct vail *vail, const char *method, Parameters *parameters,
			 JsonValue **ret_message, JsonValue **ret_reply);

/* The same for a method whose reply has only a status. */
NTSTATUS parameters_call_plain(struct vail *vail, const char *method, Parameters *parameters);

/*
 * Refuses a struct whose size member is wrong. init names its initializer. Sets the error and
 * returns STATUS_INVALID_PARAMETER.
 */
NTSTATUS refuse_size(struct vail *vail, const char *init);

/* ---- Reading ---- */

/* Reads an address. Returns 0 if it is absent or of another type. */
uint64_t member_address(const JsonValue *object, const char *name);

/*
 * Read a member that the reply must have. The result may be NULL. Return STATUS_SUCCESS; otherwise
 * set the error and return STATUS_INVALID_NETWORK_RESPONSE.
 */
NTSTATUS read_handle(struct vail *vail, const JsonValue *reply, const char *name, char *ret_handle);
NTSTATUS read_address(struct vail *vail, const JsonValue *reply, const char *name,
		      uint64_t *ret_address);

#endif
