/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Separate debug files: by build ID below /usr/lib/debug/.build-id, and by the name in
 * .gnu_debuglink beside the file, in .debug there, and below /usr/lib/debug; in the target's root,
 * then in the host's. A file counts only if its build ID (or else its checksum) is the right one.
 * Likewise what several debug files share (dwz, .gnu_debugaltlink).
 *
 * libdwfl's own search opens whatever the target put there, a FIFO for one, which blocks for ever,
 * and maps it. It is asked only for what comes from debuginfod, when DEBUGINFOD_URLS is set.
 */
#ifndef PROC_DEBUGFILE_H
#define PROC_DEBUGFILE_H

#include <elfutils/libdwfl.h>

#include "proc/elf_file.h"

/* A file as its finder has it: by a path in a root. */
struct debugfile_place {
	const char *root; /* "/" or "/proc/PID/root" */
	const char *path; /* NULL: it has none, as an image from memory */
};

struct debugfile {
	struct elf_file *file; /* NULL: there is none */
	struct debugfile_place place;
	char *path;	/* which is .place.path */
	bool unchecked; /* one was found, but is too large to be told by its checksum */
};

/* Finds the separate debug file of @module, which lies at @place; its root must outlive the result.
 */
void debugfile_find(struct debugfile *debugfile, Dwfl_Module *module,
		    const struct debugfile_place *place);

/* Finds the file in which @dwarf, which lies at @place, goes on. Returns whether it does. */
bool debugfile_find_shared(struct debugfile *debugfile, Dwarf *dwarf,
			   const struct debugfile_place *place);

void debugfile_release(struct debugfile *debugfile);

#endif
