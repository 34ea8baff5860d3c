/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The plain name of a function: its path alone, so that a table can name it. What symbol tables
 * and demanglers add is left out: parameters, return type, template arguments, symbol versions,
 * compiler suffixes, hashes, inline namespaces.
 *
 *   pthread_cond_wait@@GLIBC_2.3.2                       pthread_cond_wait
 *   void std::__invoke_impl<void, void (*)()>(...)       std::__invoke_impl
 *   <std::sys::sync::mutex::futex::Mutex>::lock_contended
 *                                                        std::sys::sync::mutex::futex::Mutex::...
 *   _ZNSt18condition_variable4waitERSt11unique_lock...   std::condition_variable::wait
 */
#ifndef MODEL_FUNC_NAME_H
#define MODEL_FUNC_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* Writes the plain name of @name, mangled or not, to @out; cut when it does not fit. */
void func_name_plain(const char *name, char *out, size_t out_bytes);

/* Returns @plain behind what libc puts before its internal names: underscores, "GI_". A name with
 * a path in it is returned as it is. */
const char *func_name_base(const char *plain);

/* Whether @pattern, of which a '*' at its end matches any end, is @text. */
bool func_name_pattern_matches(const char *pattern, const char *text);

/* Whether @pattern names the function with the plain name @plain, whose base is @base: without the
 * underscores that libc puts before its internal names, unless the pattern has them. */
bool func_name_matches(const char *pattern, const char *plain, const char *base);

#endif
