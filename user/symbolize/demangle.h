/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Names as they are shown: C++ and Rust demangled, without parameter lists and hashes; version
 * suffixes (@@GLIBC_2.2.5) and control characters never. What compilers append to names of C
 * functions (.part.0, .cold) stays. Names are hostile: their lengths are bounded, and a name that
 * demangles to far more than its own length is cut.
 */
#ifndef SYMBOLIZE_DEMANGLE_H
#define SYMBOLIZE_DEMANGLE_H

#include <stddef.h>

#define DEMANGLE_TEXT_BYTES 4096

/* Writes the symbol name @raw as it is shown to @text, NUL terminated; cut, with "..." at its end,
 * when it does not fit @len (at least 4) bytes. Returns its length. */
size_t demangle(const char *raw, char *text, size_t len);

/* As demangle, for a name that no linker saw (source names, JIT maps): copied, not interpreted. */
size_t demangle_plain(const char *raw, char *text, size_t len);

#endif
