/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The memory map of a process: /proc/PID/maps, parsed (proc_pid_maps(5)). The text is the kernel's,
 * but the paths in it are the target's, so every line is checked.
 */
#ifndef PROC_MAPS_H
#define PROC_MAPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"

struct mapping {
	uint64_t start_addr;
	uint64_t end_addr; /* first address behind it */
	uint64_t file_off;
	uint64_t inode; /* 0: not of a file */
	uint32_t dev_major, dev_minor;
	uint32_t path_off; /* of its path in maps.text; "" for anonymous memory */
	bool readable, writable, executable;
	bool deleted; /* the file has no name any more; " (deleted)" is not part of the path */
};

struct maps {
	struct vec mappings; /* struct mapping, by address */
	struct buf text;     /* the file; path ends are NUL */
	uint32_t bad_line_cnt;
};

void maps_init(struct maps *maps);
void maps_release(struct maps *maps);

/* Replaces @maps by the map of @tgid. Returns 0 or -errno with @err set; -ESRCH: no such process.
 */
int maps_read(struct maps *maps, pid_t tgid, struct err *err);

/* Replaces @maps by the parse of @len bytes at @text. Lines that do not parse are counted and left
 * out. Returns 0 or -errno. */
int maps_parse(struct maps *maps, const char *text, size_t len);

/* Returns the mapping that covers @addr, or NULL; valid until @maps changes. */
const struct mapping *maps_find(const struct maps *maps, uint64_t addr);

/* Returns a number for the code that stands at @addr, the same in each map in which it is the same
 * code of the same file; 0 for what is of no file or no code. */
uint32_t maps_code(const struct maps *maps, uint64_t addr);

/* Returns the mapping's path: a file's, "[heap]" and the like, or "". */
const char *maps_path(const struct maps *maps, const struct mapping *mapping);

#endif
