/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The ELF files that a process has mapped, as libdwfl modules. A file is opened when first asked
 * for: through /proc/PID/map_files, which is the mapped file itself whatever became of its name;
 * else by its path under the target's own root, if that is still the same inode; else (and for the
 * vDSO) it is put together from the target's memory.
 *
 * Separate debug files are looked for under the target's root first, then on the host.
 *
 * Whatever is done to the files, what was read of them holds still (base/filecopy.h). When one has
 * changed meanwhile, the rest of it is not read; module_is_lost tells.
 */
#ifndef PROC_MODULES_H
#define PROC_MODULES_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "proc/maps.h"

struct modules;

/* What could not be had, for the report's losses. */
struct modules_losses {
	uint64_t unreadable_cnt; /* files that could not be opened or are no ELF */
	uint64_t changed_cnt;	 /* files on disk that are not the ones mapped, or not any more */
};

/* One mapped file. */
struct module {
	Dwfl_Module *dwfl; /* NULL when no ELF file could be had; runs of one file may share it */
	const char *path;  /* as mapped, without " (deleted)"; "[vdso]" */
	uint64_t start_addr, end_addr;
	/* Of a second mapping of a program with fixed addresses, which has no .dwfl: how far it is
	 * from where it belongs; else 0. */
	uint64_t displacement;
	uint32_t idx; /* 0..modules_cnt()-1, for a caller's own table by module */
};

/* Returns the modules of process @tgid with the map @maps, which is borrowed and must outlive the
 * result; NULL with @err set when memory ran out. Opens nothing yet. */
struct modules *modules_new(pid_t tgid, const struct maps *maps, struct err *err);
void modules_free(struct modules *modules);

/* Returns the module that covers @addr with its file opened, or NULL; valid as long as @modules. */
const struct module *modules_find(struct modules *modules, uint64_t addr);

/* Copies the @len bytes of code that the file has for @addr. Returns whether there are such. */
bool modules_read_code(struct modules *modules, uint64_t addr, void *dst, size_t len);

/* Of a @module with .dwfl, returns where its symbols are: there or in its separate debug file. */
Dwfl_Module *module_symbols(const struct module *module);

/* Likewise its DWARF. Returns NULL when there is none (errno 0), or it cannot be read (EBADMSG). */
Dwfl_Module *module_dwarf(const struct module *module);

/* Whether a file of @module was written to, or failed, while it was read. The rest of it reads as
 * zeros: what was just found is not to be used. */
bool module_is_lost(const struct module *module);

#define MODULE_BUILD_ID_BYTES 129 /* 64 bytes in hex; SHA-1's are 20 */

/* Writes the build ID of @module in hex, "" when it has none. */
void module_build_id(const struct module *module, char ret_text[MODULE_BUILD_ID_BYTES]);

uint32_t modules_cnt(const struct modules *modules);

/* Opens every module, for a caller that walks @modules_dwfl's own list of them. */
void modules_open_all(struct modules *modules);
Dwfl *modules_dwfl(struct modules *modules);

struct modules_losses modules_losses(const struct modules *modules);

#endif
