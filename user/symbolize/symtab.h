/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The symbols of one module, sorted once: all its tables (.symtab, or .dynsym with
 * .gnu_debugdata, or a separate debug file's) as libdwfl merges them. A symbol answers only for
 * addresses within its size. One of size 0 (assembly) answers up to the next symbol, the end of
 * its section or 64 KiB, whichever comes first, unless only .dynsym is left: there the next symbol
 * says nothing.
 *
 * Where several cover an address: the nearest start, then global before weak before local, then
 * the smaller, then the first of the table (as libdwfl chooses).
 */
#ifndef SYMBOLIZE_SYMTAB_H
#define SYMBOLIZE_SYMTAB_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"

enum symtab_kind {
	SYMTAB_FUNCS,
	SYMTAB_DATA, /* without thread-local variables, whose addresses are offsets */
};

struct symtab {
	struct vec ranges; /* struct range; its id is the symbol's index */
	uint64_t lost_cnt; /* symbols beyond the maximum */
	bool unreadable;   /* there is a table and it could not be read */
};

struct symtab_symbol {
	uint64_t addr;
	uint64_t size_bytes;
	uint64_t section_end_addr; /* for size 0; 0: do not guess its end */
	uint32_t idx;
	uint8_t bind; /* STB_GLOBAL and the like */
};

void symtab_init(struct symtab *symtab);
void symtab_release(struct symtab *symtab);

/* Adds one symbol, to be found after symtab_finish. Returns 0, -E2BIG (counted) or -ENOMEM. */
int symtab_add(struct symtab *symtab, const struct symtab_symbol *symbol);
int symtab_finish(struct symtab *symtab);

/* Fills @symtab with the symbols of @kind of @dwfl. Returns 0 or -ENOMEM; a module without symbols,
 * or whose symbols cannot be read (.unreadable), leaves it empty. */
int symtab_load(struct symtab *symtab, Dwfl_Module *dwfl, enum symtab_kind kind);

/* Writes the index of the symbol that covers @addr to @ret_idx. Returns 1 when there is one, else
 * 0. */
int symtab_find(const struct symtab *symtab, uint64_t addr, uint32_t *ret_idx);

/* Returns the raw name of the symbol of @dwfl that covers @addr, and its start in @ret_start_addr;
 * NULL when there is none. Valid as long as @dwfl. */
const char *symtab_name(const struct symtab *symtab, Dwfl_Module *dwfl, uint64_t addr,
			uint64_t *ret_start_addr);

#endif
