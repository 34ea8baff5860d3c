/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "base/num.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* Reads the digits at the start of @text; @ret_end points behind them. */
static int read_digits(const char *text, uint64_t *ret, const char **ret_end)
{
	uint64_t value = 0;
	const char *c = text;

	for (; *c >= '0' && *c <= '9'; c++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*c - '0'), &value))
			return -ERANGE;
	}
	if (c == text)
		return -EINVAL;
	*ret = value;
	*ret_end = c;
	return 0;
}

int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	const char *end;
	uint64_t value;
	int err = read_digits(text, &value, &end);

	if (err)
		return err;
	if (*end)
		return -EINVAL;
	if (value < min || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

int parse_u32(const char *text, uint32_t min, uint32_t max, uint32_t *ret)
{
	uint64_t value;
	int err = parse_u64(text, min, max, &value);

	if (err)
		return err;
	*ret = (uint32_t)value;
	return 0;
}

int parse_duration_ns(const char *text, uint64_t min_ns, uint64_t max_ns, uint64_t *ret_ns)
{
	static const struct {
		const char *suffix;
		uint64_t unit_ns;
	} units[] = {
		{ "", 1000000000ULL },
		{ "ns", 1ULL },
		{ "us", 1000ULL },
		{ "ms", 1000000ULL },
		{ "s", 1000000000ULL },
		{ "m", 60 * 1000000000ULL },
		{ "h", 3600 * 1000000000ULL },
		{ "d", 86400 * 1000000000ULL },
	};
	const char *end;
	uint64_t value;
	int err = read_digits(text, &value, &end);

	if (err)
		return err;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].suffix))
			continue;
		if (__builtin_mul_overflow(value, units[i].unit_ns, &value) || value < min_ns ||
		    value > max_ns)
			return -ERANGE;
		*ret_ns = value;
		return 0;
	}
	return -EINVAL;
}
