/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Of the stack of a thread that creates another: which frames are the creator's own. */
#ifndef MODEL_BIRTH_FUNCS_H
#define MODEL_BIRTH_FUNCS_H

#include <stdbool.h>

/* Whether threads or processes are created by calling @func (or NULL): what lies within is its
 * own, whatever it is called. */
bool birth_is_entry(const char *func);

/* Whether the function @func of module @module (each or NULL) only passes on that its caller
 * creates a thread: libc, the language's library, a wrapper. */
bool birth_is_plumbing(const char *func, const char *module);

#endif
