/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The hexadecimal fields of maps of symbols. */
#ifndef SYMBOLIZE_HEX_H
#define SYMBOLIZE_HEX_H

#include <stddef.h>
#include <stdint.h>

/* Parses the hex digits that @text starts with, after 0x perhaps, and the blanks behind them, of
 * which there must be one. Returns what follows, or NULL (no such field, above 64 bits); @ret is
 * written on success only. */
static inline const char *hex_parse_field(const char *text, uint64_t *ret)
{
	uint64_t value = 0;
	uint32_t digit_cnt = 0;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	for (;; text++, digit_cnt++) {
		uint32_t digit;

		if (*text >= '0' && *text <= '9')
			digit = (uint32_t)(*text - '0');
		else if ((*text | 0x20) >= 'a' && (*text | 0x20) <= 'f')
			digit = (uint32_t)((*text | 0x20) - 'a' + 10);
		else
			break;
		if (value >> 60)
			return NULL;
		value = value << 4 | digit;
	}
	if (!digit_cnt || (*text != ' ' && *text != '\t'))
		return NULL;
	while (*text == ' ' || *text == '\t')
		text++;
	*ret = value;
	return text;
}

#endif
