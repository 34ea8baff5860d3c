/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The only number parsers: whole text or nothing, range checked, no locale, no sign, no leading
 * or trailing blanks.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stdint.h>

/* Parses decimal @text within [@min, @max] into @ret.
 * Returns 0, -EINVAL (not a decimal number) or -ERANGE; @ret is written on success only. */
int parse_u32(const char *text, uint32_t min, uint32_t max, uint32_t *ret);
int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/* Parses a duration such as "500us", "10ms", "30s", "5m", "2h", "1d", or a bare number of seconds,
 * into nanoseconds within [@min_ns, @max_ns].
 * Returns 0, -EINVAL or -ERANGE; @ret_ns is written on success only. */
int parse_duration_ns(const char *text, uint64_t min_ns, uint64_t max_ns, uint64_t *ret_ns);

#endif
