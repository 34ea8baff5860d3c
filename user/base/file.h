/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Whole-file reads with a bound, and output files that appear whole or not at all. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"

/* Appends all of @path (or of @fd) to @buf, up to the buffer's own maximum.
 * Returns 0 or -errno; -E2BIG when the file is larger (what fitted is kept). Never follows a FIFO:
 * the open is non-blocking. */
int file_read(const char *path, struct buf *buf);
int file_read_fd(int fd, struct buf *buf);

/* Reads the number that is all there is in the file @path, from directory @dir_fd on. Returns 0 or
 * -errno (-EINVAL: it is no number, -ERANGE, -E2BIG; @ret is written on success only). */
int file_read_u32(int dir_fd, const char *path, uint32_t *ret);

/* Returns a descriptor of an empty file that is in memory and nowhere else, or -errno; @name is for
 * people who look. */
int file_in_memory(const char *name);

/* Writes all of @bytes to @fd. Returns 0 or -errno. */
int file_write_fd(int fd, const void *bytes, size_t len);

/* A file that has no name until it is complete, and so is there whole or not at all, even if loiter
 * is killed meanwhile (on file systems without nameless files: a temporary name). "-" or NULL as
 * the path stands for standard output; what is no regular file, or one that is open already
 * (/dev/stdout), is written in place. A file that is replaced passes on its mode and, where that is
 * allowed, its owner. */
struct outfile {
	FILE *stream;	 /* to write to */
	char *path;	 /* NULL for standard output */
	char *temp_path; /* NULL until it has a temporary name */
	bool in_place;
};

/* Opens @path for writing. Returns 0 or -errno with @err set. */
int outfile_open(struct outfile *out, const char *path, struct err *err);

/* Flushes, checks every earlier write, and gives the file its name.
 * Returns 0 or -errno with @err set, and then no file is left (-EPIPE: the reader of standard
 * output went away). Releases @out either way. */
int outfile_commit(struct outfile *out, struct err *err);

/* Drops the file; nothing is left. Takes an @out that was committed or never opened (zeroed). */
void outfile_discard(struct outfile *out);

#endif
