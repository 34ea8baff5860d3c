/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * file:line and the inlined functions at an address of one module, from its DWARF. Read as it is
 * asked for: the units' ranges once a module (only where .debug_aranges leaves the address out, as
 * clang and rustc do), the functions of a unit once a unit, then one function's scopes an address.
 *
 * Split DWARF (.dwo files) is not followed. DWARF is hostile: whatever refers backwards, is nested
 * too deep or has too many ranges is taken for damage and ends the reading there.
 */
#ifndef SYMBOLIZE_LINES_H
#define SYMBOLIZE_LINES_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stdint.h>

#define LINES_FRAME_MAX 64

struct lines;

/* One function at an address; strings belong to the module, NULL where there is none. */
struct line_frame {
	const char *name;
	const char *dir; /* what a relative file is relative to */
	const char *file;
	uint32_t line;	 /* 0: unknown */
	bool is_linkage; /* the name is the linker's, perhaps mangled */
};

/* Returns the lines of @dwfl, which has DWARF (module_dwarf) and must outlive them, or NULL without
 * memory. */
struct lines *lines_new(Dwfl_Module *dwfl);
void lines_free(struct lines *lines);

/* Writes what is at @addr to @ret_frames: inlined functions first, the innermost before the one it
 * is inlined into; last the function itself, whose start goes to @ret_start_addr (0: unknown).
 * @symbol_addr: where the symbol starts that covers @addr; 0: none does. Returns how many (0: no
 * unit covers @addr). */
uint32_t lines_find(struct lines *lines, uint64_t addr, uint64_t symbol_addr,
		    struct line_frame ret_frames[LINES_FRAME_MAX], uint64_t *ret_start_addr);

/* Whether damage was met so far. */
bool lines_damaged(const struct lines *lines);

#endif
