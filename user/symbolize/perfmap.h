/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What a JIT compiler says of its code: /tmp/perf-PID.map, lines of "START SIZE name" in hex (with
 * or without 0x). Later lines override earlier ones where they overlap, since JITs reuse memory.
 * The file is written while it is read: a last line without its newline is left out.
 */
#ifndef SYMBOLIZE_PERFMAP_H
#define SYMBOLIZE_PERFMAP_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/vec.h"

struct perfmap {
	struct buf text;    /* the file; line ends are NUL */
	struct vec entries; /* struct perfmap_entry */
	struct vec ranges;  /* struct range; its id is an index in entries */
	uint32_t bad_line_cnt;
	uint32_t lost_cnt; /* lines beyond the maximum */
};

struct perfmap_entry {
	uint64_t start_addr;
	uint32_t name_off; /* in text */
};

void perfmap_init(struct perfmap *map);
void perfmap_release(struct perfmap *map);

/* Replaces @map by the parse of @len bytes at @text. Lines that do not parse are counted and left
 * out. Returns 0, -E2BIG (what fitted is kept) or -ENOMEM (empty). */
int perfmap_parse(struct perfmap *map, const char *text, size_t len);

/* Replaces @map by that of process @tgid, from the target's own root, under the pid that its own
 * namespace gives it; only a regular file of the target's user or of root is believed.
 * Returns 0, -ENOENT (it has none), -EPERM (not its own), -EINVAL (no regular file) or another
 * -errno; @map is empty then. */
int perfmap_read(struct perfmap *map, pid_t tgid);

/* Returns the name of the code at @addr and its start in @ret_start_addr, or NULL; valid until @map
 * changes. */
const char *perfmap_find(const struct perfmap *map, uint64_t addr, uint64_t *ret_start_addr);

#endif
