/* SPDX-License-Identifier: MIT */
#include "daemon/host/process/proc-credentials.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/host/process/file-read.h"
#include "proto/macros.h"

#define CURRENT  "attr/current"
#define APPARMOR "attr/apparmor/current"
#define SMACK    "attr/smack/current"

/*
 * Returns the text after "name:" of the line that begins with it, or NULL if there is no such line.
 */
static const char *find_line(const char *status, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = status; line; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (strncmp(line, name, length) == 0 && line[length] == ':')
			return line + length + 1;
	}
	return NULL;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * Parses a decimal 32-bit number after optional blanks, and moves *text past it. Returns false if
 * malformed.
 */
static bool parse_id(const char **text, uint32_t *ret)
{
	const char *at = *text;
	uint64_t number = 0;

	while (is_blank(*at))
		at++;
	const char *begin = at;
	for (; *at >= '0' && *at <= '9' && number <= UINT32_MAX; at++)
		number = number * 10 + (uint64_t)(*at - '0');
	if (at == begin || number > UINT32_MAX || !(is_blank(*at) || *at == '\n' || *at == '\0'))
		return false;
	*text = at;
	*ret = (uint32_t)number;
	return true;
}

static bool parse_ids(const char *line, uint32_t ids[static ID_MAX])
{
	if (!line)
		return false;
	for (int kind = 0; kind < ID_MAX; kind++)
		if (!parse_id(&line, &ids[kind]))
			return false;
	return true;
}

static bool parse_capabilities(const char *line, uint64_t *ret)
{
	char *end;

	if (!line)
		return false;
	errno = 0;
	unsigned long long bits = strtoull(line + strspn(line, " \t"), &end, 16);
	if (errno != 0 || (*end != '\n' && *end != '\0'))
		return false;
	*ret = bits;
	return true;
}

static size_t count_words(const char *line)
{
	size_t words = 0;
	bool in_word = false;

	for (; *line != '\n' && *line != '\0'; line++) {
		words += !is_blank(*line) && !in_word;
		in_word = !is_blank(*line);
	}
	return words;
}

static int parse_groups(const char *line, gid_t primary, Groups *ret)
{
	if (!line)
		return -EBADMSG;
	size_t count = count_words(line);
	_cleanup_free_ gid_t *ids = calloc(count + 1, sizeof(*ids));

	if (!ids)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (!parse_id(&line, &ids[i]))
			return -EBADMSG;
	*ret = groups_take(TAKE_POINTER(ids), count, primary);
	return 0;
}

int proc_status_parse(const char *status, Credentials *ret)
{
	if (!parse_ids(find_line(status, "Uid"), ret->uids) ||
	    !parse_ids(find_line(status, "Gid"), ret->gids) ||
	    !parse_capabilities(find_line(status, "CapPrm"), &ret->permitted) ||
	    !parse_capabilities(find_line(status, "CapEff"), &ret->effective))
		return -EBADMSG;
	return parse_groups(find_line(status, "Groups"), ret->gids[ID_EFFECTIVE], &ret->groups);
}

int proc_status_parse_pids(const char *status, pid_t *ret, size_t room, size_t *ret_count)
{
	const char *line = find_line(status, "NSpid");
	size_t count = line ? count_words(line) : 0;

	if (count > room)
		return -EBADMSG;
	for (size_t i = 0; i < count; i++) {
		uint32_t pid;

		if (!parse_id(&line, &pid) || pid > INT32_MAX)
			return -EBADMSG;
		ret[i] = (pid_t)pid;
	}
	*ret_count = count;
	return 0;
}

/* Returns true for the errors that reading a label file gives if no LSM implements it. */
static bool errno_is_no_label(int error)
{
	return error == EINVAL || error == ENOENT || error == EOPNOTSUPP;
}

static bool label_file_is_served(int folder, const char *path)
{
	Buffer file;
	int error = proc_file_read(folder, path, &file);

	buffer_deinit(&file);
	return error == 0 || !errno_is_no_label(-error);
}

LabelFiles label_files_find(int folder)
{
	return (LabelFiles){
		.current = label_file_is_served(folder, CURRENT),
		.apparmor = label_file_is_served(folder, APPARMOR),
		.smack = label_file_is_served(folder, SMACK),
	};
}

/*
 * Reads a label file of /proc/PID/attr into *ret, which the caller frees. The label is empty if no
 * LSM implements the file. Returns 0 or a negative errno.
 */
static int read_label(int folder, bool is_served, const char *path, char **ret)
{
	Buffer file = BUFFER_INIT;
	int error = is_served ? proc_file_read(folder, path, &file) : -ENOENT;

	if (errno_is_no_label(-error)) {
		*ret = strdup("");
		return *ret ? 0 : -ENOMEM;
	}
	if (error < 0)
		return error;
	*ret = file.data; /* file_read_all() has added the NUL */
	(*ret)[strcspn(*ret, "\n")] = '\0';
	return 0;
}

/*
 * Reads the labels of the LSMs that have their own directory into one text, one line each. Returns
 * 0 or a negative errno.
 */
static int read_stacked_labels(int folder, const LabelFiles *files, char **ret)
{
	_cleanup_free_ char *apparmor = NULL;
	_cleanup_free_ char *smack = NULL;
	int error = read_label(folder, files->apparmor, APPARMOR, &apparmor);

	if (error == 0)
		error = read_label(folder, files->smack, SMACK, &smack);
	if (error < 0)
		return error;
	if (asprintf(ret, "%s\n%s", apparmor, smack) < 0) {
		*ret = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int read_status(int folder, Credentials *ret)
{
	Buffer file;
	int error = proc_file_read(folder, "status", &file);

	if (error == 0)
		error = proc_status_parse(file.data, ret);
	buffer_deinit(&file);
	return error;
}

int proc_credentials_read(int folder, const LabelFiles *files, Credentials *ret)
{
	*ret = CREDENTIALS_INIT;
	int error = read_status(folder, ret);
	if (error == 0)
		error = read_label(folder, files->current, CURRENT, &ret->label);
	if (error == 0)
		error = read_stacked_labels(folder, files, &ret->stacked_labels);
	if (error < 0)
		credentials_deinit(ret);
	return error;
}
