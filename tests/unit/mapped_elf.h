/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A file with this program in it, mapped into this process a second time, as the loader would: a
 * target whose file a test may do anything to.
 */
#ifndef UNIT_MAPPED_ELF_H
#define UNIT_MAPPED_ELF_H

#include <stddef.h>
#include <stdint.h>

struct mapped_elf {
	char dir[64];	/* a directory of its own */
	char path[128]; /* DIR/program */
	int fd;		/* to write to it */
	char *base;
	size_t bytes; /* mapped */
};

/* Makes the file by the shell @command in the directory, which makes "program" of /proc/$pid/exe.
 * It is aged. */
void mapped_elf_open(struct mapped_elf *elf, const char *command);
void mapped_elf_close(struct mapped_elf *elf);

/* Makes the file @fd look as if it had been written long ago: a clock of files has coarse ticks. */
void mapped_elf_age(int fd);

/* Returns where @what of this program is in the copy. */
uint64_t mapped_elf_addr(const struct mapped_elf *elf, const void *what);

#endif
