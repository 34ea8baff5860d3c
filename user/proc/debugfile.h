/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Separate debug files, for libdwfl: by build ID below /usr/lib/debug/.build-id, and by the name in
 * .gnu_debuglink beside the file, in .debug there, and below /usr/lib/debug; in the target's root,
 * then in the host's. A file counts only if its build ID (or else its checksum) is the right one.
 *
 * libdwfl's own search is asked only when DEBUGINFOD_URLS is set: it opens whatever the target put
 * there, a FIFO for one, which blocks for ever, and loads an HTTP client each time.
 */
#ifndef PROC_DEBUGFILE_H
#define PROC_DEBUGFILE_H

#include <elfutils/libdwfl.h>

/* Sets how modules with these @callbacks find their debug files. */
void debugfile_set_callbacks(Dwfl_Callbacks *callbacks);

#endif
