/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Leaked file descriptors, which no tool of the toolchain reports. Every unit test program is
 * linked with this and fails when it ends with more descriptors than it began with; a test that
 * wants to know where compares two counts.
 */
#ifndef UNIT_FDCHECK_H
#define UNIT_FDCHECK_H

/* Returns how many descriptors this process has open. */
unsigned int fdcheck_count(void);

#endif
