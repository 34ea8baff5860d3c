/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A private copy of a file in memory, made as it is touched: a piece is read when somebody first
 * looks at it, and stays as it was then, whatever is done to the file. A reader that checks what
 * it finds and then uses it, as the ELF readers do, needs that: a file's mapping, private too,
 * shows what others write to the file between the two.
 *
 *     file    [ header | code ........................ | .eh_frame | data | sections' table ]
 *     copy    [ piece  |                               | piece     |      | piece           ]
 *               read                 not there           read        not there   read
 *
 * Pieces that are not there are a mapping beyond the end of an empty file: to touch one raises
 * SIGBUS, whose handler puts the piece there and lets the instruction run again. Only user space
 * may touch them: a system call that is given such an address fails with EFAULT. A copy is for one
 * thread, and so are all copies, which share a table; other threads may run meanwhile.
 *
 * Invariant: a byte that was seen once never changes.
 */
#ifndef BASE_FILECOPY_H
#define BASE_FILECOPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* In all copies together; beyond it, pieces are zeros. Sparse files can be endless. */
#define FILECOPY_MAX_BYTES (1ULL << 30)

enum filecopy_state {
	FILECOPY_GOOD,	     /* what was read so far is what the file was when it was opened */
	FILECOPY_CHANGED,    /* somebody wrote to the file; what had not been read reads as zeros */
	FILECOPY_UNREADABLE, /* likewise, because of an error or FILECOPY_MAX_BYTES */
};

struct filecopy {
	char *bytes; /* which may be written to as well */
	size_t len;
	enum filecopy_state state;
	/* Of filecopy.c: */
	int fd;
	dev_t dev;
	ino_t ino;
	struct timespec mtime;
	size_t piece_bytes;
	uint64_t read_bytes;
	uint8_t *have; /* one bit a piece: it is there */
};

/* Makes a copy of the file @fd, as @st has it, which was taken before anything was read of it.
 * Takes @fd over, also when it fails. Returns NULL with errno set: EINVAL (an empty file), EMFILE,
 * ENOMEM. */
struct filecopy *filecopy_new(int fd, const struct stat *st);
void filecopy_free(struct filecopy *copy);

/* Whether @copy is good and of the very file that @st is of, as it was then. */
bool filecopy_is_of(const struct filecopy *copy, const struct stat *st);

#endif
