/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Linux capabilities of this process (capabilities(7)): asked for, and dropped when done with. */
#ifndef BASE_CAPS_H
#define BASE_CAPS_H

#include <stdbool.h>
#include <stddef.h>

/* Whether capability number @cap (CAP_BPF, ...) is in the effective set. */
bool caps_have(unsigned int cap);

/* Gives up every capability that is not one of the @cnt at @keep, for good.
 * Returns 0 or -errno. */
int caps_keep_only(const unsigned int *keep, size_t cnt);

#endif
