/* SPDX-License-Identifier: MIT */
#ifndef HOST_RECORD_FILE_WRITE_H
#define HOST_RECORD_FILE_WRITE_H

#include "record-file.h"

#define RECORDS     "records"
#define RECORDS_NEW "records.new"

/* By kind and number; NULL: there are no more. */
LiveRecord *live_record_first(const RecordFile *file);
LiveRecord *live_record_next(LiveRecord *live);

/* Appends the lines in file->line, after which so many things are recorded. False with errno:
 * nothing has changed. */
bool record_file_append(RecordFile *file, size_t live_count);

/* Sets room for ends aside. Where there is none nothing is kept until there is, and what ends is
 * crossed out. */
void record_file_make_room(RecordFile *file);

/* Crosses out the line where it stands, which needs no room. False with errno. */
bool record_file_cross_out(RecordFile *file, const LiveRecord *live);

/* Writes all that is so to a file of its own, which takes the place of what was there. Returns 0,
 * or a negative errno with nothing changed. */
int record_file_write_anew(RecordFile *file);

/* The same, of a file that has room set aside, which is used where there is no other. */
int record_file_compact(RecordFile *file);

#endif
