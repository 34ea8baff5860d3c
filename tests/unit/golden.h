/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Texts that are kept, byte for byte, in tests/golden. Tests that use them run from the
 * repository's top. */
#ifndef UNIT_GOLDEN_H
#define UNIT_GOLDEN_H

/* Fails unless tests/golden/@file holds @text; UPDATE_GOLDEN=1 writes it anew, to be read before it
 * is committed. */
void check_golden(const char *file, const char *text);

#endif
