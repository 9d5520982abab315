/* SPDX-License-Identifier: MIT */
#include "daemon/host/persist/quarantine-store.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/host/log/log.h"
#include "daemon/host/persist/file-io.h"
#include "daemon/host/process/file-read.h"
#include "proto/fd-util.h"
#include "proto/json-writer.h"

#define SUFFIX         ".json"
#define TEMPORARY_NAME "new"
#define STORE_VERSION  1

typedef struct FileName {
	char text[GUID_TEXT_LENGTH + sizeof(SUFFIX)];
} FileName;

static FileName file_name(const Guid *guid)
{
	FileName name;

	guid_format(guid, name.text);
	strcpy(name.text + GUID_TEXT_LENGTH, SUFFIX);
	return name;
}

static bool is_symbolic_link(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0 && S_ISLNK(status.st_mode);
}

int quarantine_store_open(QuarantineStore *store, const char *state_directory)
{
	char path[512];

	store->directory = -1;
	int length = snprintf(path, sizeof(path), "%s/quarantine", state_directory);
	if (length < 0 || (size_t)length >= sizeof(path))
		return -ENAMETOOLONG;
	if (mkdir(state_directory, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	store->directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (store->directory < 0 && is_symbolic_link(path))
		return -ELOOP;
	return store->directory < 0 ? -errno : 0;
}

void quarantine_store_close(QuarantineStore *store)
{
	fd_close(&store->directory);
}

static bool encode(Buffer *buffer, const Guid *guid, const char *reason, const Payer *payer)
{
	Writer writer = WRITER_INIT(buffer);

	writer_object_begin(&writer);
	writer_key(&writer, "version");
	writer_unsigned(&writer, STORE_VERSION);
	writer_key(&writer, "virtualMachineGuid");
	writer_guid(&writer, guid);
	if (reason) {
		writer_key(&writer, "reason");
		writer_string(&writer, reason);
	}
	writer_key(&writer, "payerUid");
	writer_unsigned(&writer, payer->uid);
	writer_key(&writer, "byOperator");
	writer_boolean(&writer, payer->is_operator);
	writer_object_end(&writer);
	writer_terminator(&writer, '\n');
	return !writer.failed;
}

/* Always creates the file, because an existing one may be a link to a file outside. */
static bool write_file(const QuarantineStore *store, const Buffer *contents)
{
	unlinkat(store->directory, TEMPORARY_NAME, 0);
	_cleanup_close_ int file = openat(store->directory, TEMPORARY_NAME,
					  O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return file >= 0 && file_write_at(file, buffer_head(contents), buffer_size(contents), 0) &&
	       fsync(file) == 0;
}

/* Renames the new file to name. An existing file gets the temporary name instead. */
static bool exchange(const QuarantineStore *store, const char *name, bool *ret_replaced)
{
	int directory = store->directory;

	*ret_replaced = renameat2(directory, TEMPORARY_NAME, directory, name, RENAME_EXCHANGE) == 0;
	return *ret_replaced ||
	       (errno == ENOENT && renameat(directory, TEMPORARY_NAME, directory, name) == 0);
}

/* Rolls back if fsync() fails, because a refused quarantine must not reappear after a restart. */
static bool put_in_place(const QuarantineStore *store, const char *name)
{
	bool replaced;

	if (!exchange(store, name, &replaced))
		return false;
	if (fsync(store->directory) == 0) {
		if (replaced)
			unlinkat(store->directory, TEMPORARY_NAME, 0);
		return true;
	}
	int error = errno;
	if (replaced)
		renameat(store->directory, TEMPORARY_NAME, store->directory, name);
	else
		unlinkat(store->directory, name, 0);
	errno = error;
	return false;
}

bool quarantine_store_save(QuarantineStore *store, const Guid *guid, const char *reason,
			   const Payer *payer)
{
	FileName name = file_name(guid);
	Buffer contents = BUFFER_INIT;
	bool kept = encode(&contents, guid, reason, payer) && write_file(store, &contents) &&
		    put_in_place(store, name.text);

	if (!kept)
		log_error("cannot save quarantine file %s: %s", name.text, strerror(errno));
	buffer_deinit(&contents);
	return kept;
}

/* Renames the file first, so that the removal can be rolled back if fsync() fails. */
static bool remove_file(const QuarantineStore *store, const char *name)
{
	int directory = store->directory;

	if (renameat(directory, name, directory, TEMPORARY_NAME) < 0)
		return errno == ENOENT;
	if (fsync(directory) == 0) {
		unlinkat(directory, TEMPORARY_NAME, 0);
		return true;
	}
	int error = errno;
	renameat(directory, TEMPORARY_NAME, directory, name);
	errno = error;
	return false;
}

bool quarantine_store_remove(QuarantineStore *store, const Guid *guid)
{
	FileName name = file_name(guid);

	if (remove_file(store, name.text))
		return true;
	log_error("cannot remove quarantine file %s: %s", name.text, strerror(errno));
	return false;
}

/*
 * Saves a damaged file under a second name. It keeps its first one until a valid file replaces it,
 * so the quarantine is safe if that file cannot be written. A directory cannot have two names and
 * is renamed.
 */
static void set_aside(const QuarantineStore *store, const char *name, const char *why)
{
	char damaged[sizeof(FileName) + sizeof(".damaged")];

	snprintf(damaged, sizeof(damaged), "%s.damaged", name);
	log_warning("quarantine file %s %s; it is saved as %s, and its GUID stays in quarantine",
		    name, why, damaged);
	unlinkat(store->directory, damaged, 0);
	if (linkat(store->directory, name, store->directory, damaged, 0) < 0 &&
	    renameat(store->directory, name, store->directory, damaged) < 0)
		log_error("cannot save %s as %s: %s", name, damaged, strerror(errno));
}

/* The defect of a quarantine file. */
typedef enum Fault {
	FAULT_NONE,
	FAULT_NO_MEMORY, /* says nothing about the file */
	FAULT_NEWER_VERSION,
	FAULT_UNKNOWN_VERSION,
	FAULT_NO_VERSION,
	FAULT_OTHER_GUID,
	FAULT_UNREADABLE,
	FAULT_NO_JSON,
	FAULT_MAX,
} Fault;

static const char *const fault_texts[] = {
	[FAULT_NONE] = "is valid",
	[FAULT_NO_MEMORY] = "cannot be read: out of memory",
	[FAULT_NEWER_VERSION] = "was written by a newer version of vaild",
	[FAULT_UNKNOWN_VERSION] = "has an unknown version",
	[FAULT_NO_VERSION] = "has no version",
	[FAULT_OTHER_GUID] = "contains a different GUID than its name",
	[FAULT_UNREADABLE] = "cannot be read",
	[FAULT_NO_JSON] = "is not valid JSON",
};
_Static_assert(ARRAY_SIZE(fault_texts) == FAULT_MAX, "each fault has a text");

static Fault check_members(const JsonValue *value, const Guid *guid)
{
	const char *text = json_string(json_member(value, "virtualMachineGuid"));
	uint64_t version;
	Guid inside;

	if (!json_read_unsigned(json_member(value, "version"), &version))
		return FAULT_NO_VERSION;
	if (version > STORE_VERSION)
		return FAULT_NEWER_VERSION;
	if (version != STORE_VERSION)
		return FAULT_UNKNOWN_VERSION;
	if (!text || !guid_parse(text, &inside) || guid_compare(&inside, guid) != 0)
		return FAULT_OTHER_GUID;
	return FAULT_NONE;
}

/* Reads who pays for the quarantine. *payer stays unchanged if the file does not name a user. */
static void read_payer(const JsonValue *value, Payer *payer)
{
	uint64_t uid;
	bool by_operator;

	if (!json_read_unsigned(json_member(value, "payerUid"), &uid) || uid >= (uid_t)-1 ||
	    !json_read_boolean(json_member(value, "byOperator"), &by_operator))
		return;
	*payer = (Payer){ .uid = (uid_t)uid, .is_operator = by_operator };
}

/* Extracts the payer, and the reason if there is one. The caller frees the reason. */
static Fault decode(JsonParser *parser, const Buffer *contents, const Guid *guid, char **ret_reason,
		    Payer *payer)
{
	const char *error;
	JsonValue *value = json_parse(parser, contents->data, buffer_size(contents), &error);
	const char *reason = json_string(json_member(value, "reason"));
	Fault fault = error ? FAULT_NO_JSON : check_members(value, guid);

	if (fault == FAULT_NONE && reason && !(*ret_reason = strdup(reason)))
		fault = FAULT_NO_MEMORY;
	if (fault == FAULT_NONE)
		read_payer(value, payer);
	json_free(value);
	return fault;
}

static int read_regular(const QuarantineStore *store, const char *name, Buffer *ret)
{
	off_t size;
	_cleanup_close_ int file = file_open_regular(store->directory, name, O_RDONLY, &size);

	return file < 0 ? file : file_read_all(file, ret);
}

/* Returns 0, or a negative errno if the daemon must not start without this quarantine. */
static int restore_one(QuarantineStore *store, const char *name, const Guid *guid, Broker *broker,
		       JsonParser *parser, Statistics *statistics)
{
	_cleanup_(buffer_deinit) Buffer contents = BUFFER_INIT;
	_cleanup_free_ char *reason = NULL;
	Payer payer = { .uid = 0, .is_operator = true };
	Failure failure;
	int error = read_regular(store, name, &contents);

	if (error < 0 && errno_is_exhaustion(-error))
		return error; /* says nothing about the file */
	Fault fault =
		error < 0 ? FAULT_UNREADABLE : decode(parser, &contents, guid, &reason, &payer);
	if (fault == FAULT_NO_MEMORY)
		return -ENOMEM;
	if (fault != FAULT_NONE)
		statistics_remark(statistics, name, fault_texts[fault]);
	if (fault == FAULT_NEWER_VERSION) {
		log_warning("quarantine file %s %s; it is left unchanged", name,
			    fault_texts[fault]);
		reason = strdup("recorded by a newer version of vaild");
	} else if (fault != FAULT_NONE) {
		set_aside(store, name, fault_texts[fault]);
		reason = strdup("its record was damaged");
		quarantine_store_save(store, guid, reason, &payer);
	}
	return quarantine_restore(broker, &payer, guid, &reason, &failure) == STATUS_SUCCESS
		       ? 0
		       : -ENOMEM;
}

/* Returns false if the name is not that of a quarantine file. */
static bool parse_file_name(const char *name, Guid *ret_guid)
{
	char text[GUID_TEXT_LENGTH + 1];

	if (strlen(name) != GUID_TEXT_LENGTH + strlen(SUFFIX) ||
	    strcmp(name + GUID_TEXT_LENGTH, SUFFIX) != 0)
		return false;
	memcpy(text, name, GUID_TEXT_LENGTH);
	text[GUID_TEXT_LENGTH] = '\0';
	return guid_parse(text, ret_guid);
}

/* Returns NULL at the end, or if reading fails; *ret_error is then a negative errno. */
static const char *next_name(DIR *directory, int *ret_error)
{
	errno = 0;
	const struct dirent *entry = readdir(directory);
	*ret_error = entry ? 0 : -errno;
	return entry ? entry->d_name : NULL;
}

int quarantine_store_restore(QuarantineStore *store, Broker *broker, JsonParser *parser,
			     Statistics *statistics)
{
	int copy = openat(store->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = copy < 0 ? NULL : fdopendir(copy);
	const char *name;
	int restored = 0, error = 0;

	if (!directory) {
		error = -errno;
		fd_close(&copy);
		return error;
	}
	while (error == 0 && (name = next_name(directory, &error))) {
		Guid guid;

		if (!parse_file_name(name, &guid))
			continue;
		error = restore_one(store, name, &guid, broker, parser, statistics);
		restored++;
	}
	closedir(directory);
	return error < 0 ? error : restored;
}
