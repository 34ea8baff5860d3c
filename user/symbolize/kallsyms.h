/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The kernel's functions, from /proc/kallsyms: lines of "ADDR TYPE NAME" with "\t[MODULE]" behind
 * for a module's. A function ends where the next one starts, 64 KiB on at most.
 */
#ifndef SYMBOLIZE_KALLSYMS_H
#define SYMBOLIZE_KALLSYMS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"

struct kallsyms {
	struct buf text;    /* the file; the fields of functions end in NUL */
	struct vec entries; /* struct kallsyms_entry */
	struct vec ranges;  /* struct range; its id is an index in entries */
};

struct kallsyms_entry {
	uint64_t start_addr;
	uint32_t name_off;   /* in text */
	uint32_t module_off; /* of "[module]"; 0: the kernel proper */
};

void kallsyms_init(struct kallsyms *syms);
void kallsyms_release(struct kallsyms *syms);

/* Replaces @syms by the parse of @len bytes at @text. Returns 0, -EPERM (every address is zero:
 * the kernel hides them), -E2BIG or -ENOMEM; @syms is empty unless 0. */
int kallsyms_parse(struct kallsyms *syms, const char *text, size_t len);

/* Replaces @syms by those of the running kernel. Returns 0 or -errno with @err set. */
int kallsyms_read(struct kallsyms *syms, struct err *err);

/* Returns the function that covers @addr, or NULL. Its name is kallsyms_text(syms, name_off). */
const struct kallsyms_entry *kallsyms_find(const struct kallsyms *syms, uint64_t addr);

/* Returns the address of the first function, or mark between functions, @name; 0: there is none. */
uint64_t kallsyms_addr(const struct kallsyms *syms, const char *name);

/* Writes where the function @name begins and ends. Returns 1 when there is one, else 0. */
int kallsyms_extent(const struct kallsyms *syms, const char *name, uint64_t *ret_start_addr,
		    uint64_t *ret_end_addr);

static inline const char *kallsyms_text(const struct kallsyms *syms, uint32_t off)
{
	return syms->text.data + off;
}

#endif
