/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What the functions on a stack tell about a futex wait. */
#ifndef MODEL_WAIT_FUNCS_H
#define MODEL_WAIT_FUNCS_H

#include <stdint.h>

#include "model/wait.h"

#define WAIT_FUNC_NAME_BYTES 160 /* enough of a function's plain name to tell it */

/* Returns the kind of the wait in the functions @funcs (leaf first, NULL where unknown), or
 * WAIT_NONE when they do not tell. */
enum wait_kind wait_funcs_kind(const char *const *funcs, uint32_t cnt);

#endif
