/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The ELF files that a process has mapped, as libdwfl modules. Files are opened when first asked
 * for, through the target's own root, and only if they are the ones mapped (device and inode);
 * else through /proc/PID/map_files (deleted files, other namespaces); the vDSO, and what no file
 * can be had of, from the target's memory.
 */
#ifndef PROC_MODULES_H
#define PROC_MODULES_H

#include <elfutils/libdwfl.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "proc/maps.h"

struct modules;

/* What could not be had, for the report's losses. */
struct modules_losses {
	uint64_t unreadable_cnt; /* files that could not be opened or are no ELF */
	uint64_t changed_cnt;	 /* files on disk that are not the ones mapped */
};

/* Returns the modules of process @tgid with the map @maps, which is borrowed and must outlive the
 * result; NULL with @err set when memory ran out. */
struct modules *modules_new(pid_t tgid, const struct maps *maps, struct err *err);
void modules_free(struct modules *modules);

/* One mapped file. */
struct module {
	Dwfl_Module *dwfl;
	const char *path; /* as mapped, without " (deleted)"; "[vdso]" */
	uint64_t start_addr, end_addr;
	uint32_t idx; /* 0..modules_cnt()-1, for a caller's own table by module */
};

/* Returns the module that covers @addr, or NULL; valid as long as @modules. */
const struct module *modules_find(const struct modules *modules, uint64_t addr);
uint32_t modules_cnt(const struct modules *modules);
const struct module *modules_at(const struct modules *modules, uint32_t idx);

/* Returns the module's ELF handle, or NULL when its file could not be had; *@ret_bias is what to
 * subtract from an address to get the file's own. Owned by @modules. */
Elf *modules_elf(const struct module *module, GElf_Addr *ret_bias);

Dwfl *modules_dwfl(const struct modules *modules);
struct modules_losses modules_losses(const struct modules *modules);

#endif
