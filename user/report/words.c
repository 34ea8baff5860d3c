/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "report/words.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull
#define NS_PER_US 1000ull

struct words duration_words(uint64_t ns)
{
	uint64_t s = ns / NS_PER_S;
	struct words words;

#define SAY(...) snprintf(words.text, sizeof(words.text), __VA_ARGS__)
	if (ns == 0)
		SAY("0s");
	else if (ns < NS_PER_MS)
		SAY("<1ms");
	else if (ns < NS_PER_S)
		SAY("%llums", (unsigned long long)(ns / NS_PER_MS));
	else if (s < 10)
		SAY("%llu.%llus", (unsigned long long)s,
		    (unsigned long long)(ns % NS_PER_S / (NS_PER_S / 10)));
	else if (s < 60)
		SAY("%llus", (unsigned long long)s);
	else if (s < 3600)
		SAY("%llum%llus", (unsigned long long)(s / 60), (unsigned long long)(s % 60));
	else if (s < 86400)
		SAY("%lluh%llum", (unsigned long long)(s / 3600),
		    (unsigned long long)(s % 3600 / 60));
	else
		SAY("%llud%lluh", (unsigned long long)(s / 86400),
		    (unsigned long long)(s % 86400 / 3600));
#undef SAY
	return words;
}

struct words span_duration_words(uint64_t ns)
{
	uint64_t us = ns / NS_PER_US;
	struct words words;

	if (!ns || ns >= 10 * NS_PER_MS)
		return duration_words(ns);
	if (!us)
		snprintf(words.text, sizeof(words.text), "<1us");
	else if (us < 10)
		snprintf(words.text, sizeof(words.text), "%llu.%lluus", (unsigned long long)us,
			 (unsigned long long)(ns % NS_PER_US / 100));
	else if (us < 1000)
		snprintf(words.text, sizeof(words.text), "%lluus", (unsigned long long)us);
	else
		snprintf(words.text, sizeof(words.text), "%llu.%llums",
			 (unsigned long long)(us / 1000), (unsigned long long)(us % 1000 / 100));
	return words;
}

struct words duration_range_words(uint64_t min_ns, uint64_t max_ns)
{
	struct words from = duration_words(min_ns);
	struct words to = duration_words(max_ns);
	struct words words;

	if (!strcmp(from.text, to.text))
		return from;
	snprintf(words.text, sizeof(words.text), "%.24s to %.24s", from.text, to.text);
	return words;
}

static uint64_t magnitude(int64_t value)
{
	return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

struct words timeout_words(int64_t min_left_ns, int64_t max_left_ns)
{
	uint64_t min = magnitude(min_left_ns), max = magnitude(max_left_ns);
	struct words words;

	if (min_left_ns >= 0)
		snprintf(words.text, sizeof(words.text), "%.52s left",
			 duration_range_words(min, max).text);
	else if (max_left_ns < 0)
		snprintf(words.text, sizeof(words.text), "%.52s overdue",
			 duration_range_words(max, min).text);
	else
		snprintf(words.text, sizeof(words.text), "%.20s overdue to %.20s left",
			 duration_words(min).text, duration_words(max).text);
	return words;
}

/* Returns CLOCK_REALTIME at @boot_ns; 0 for a time before the epoch. */
static uint64_t wall_ns_at(const struct model *model, uint64_t boot_ns)
{
	uint64_t ago_ns;

	if (boot_ns >= model->boot_ns)
		return model->wall_ns + (boot_ns - model->boot_ns);
	ago_ns = model->boot_ns - boot_ns;
	return ago_ns < model->wall_ns ? model->wall_ns - ago_ns : 0;
}

static struct tm local_time(const struct model *model, uint64_t wall_ns)
{
	time_t s = (time_t)(wall_ns / NS_PER_S) + model->utc_offset_s;
	struct tm tm = { 0 };

	gmtime_r(&s, &tm);
	return tm;
}

struct words clock_words(const struct model *model, uint64_t boot_ns)
{
	struct tm now = local_time(model, model->wall_ns);
	struct tm tm = local_time(model, wall_ns_at(model, boot_ns));
	bool same_day = tm.tm_year == now.tm_year && tm.tm_yday == now.tm_yday;
	struct words words;

	strftime(words.text, sizeof(words.text), same_day ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &tm);
	return words;
}

struct words utc_words(const struct model *model, uint64_t boot_ns)
{
	uint64_t wall_ns = wall_ns_at(model, boot_ns);
	time_t s = (time_t)(wall_ns / NS_PER_S);
	struct tm tm = { 0 };
	struct words words;
	size_t len;

	gmtime_r(&s, &tm);
	len = strftime(words.text, sizeof(words.text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(words.text + len, sizeof(words.text) - len, ".%03uZ",
		 (unsigned int)(wall_ns % NS_PER_S / NS_PER_MS));
	return words;
}

/* Returns the length of the well-formed UTF-8 character at @text, which is not ASCII, and its
 * code point; 0 when it is malformed, overlong, a surrogate or beyond Unicode. */
static size_t utf8_decode(const unsigned char *text, uint32_t *ret_code)
{
	static const uint32_t min_code[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
	uint32_t code = text[0] & (0x7fu >> len);

	if (text[0] < 0xc2 || text[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	if (code < min_code[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return len;
}

/* Controls of the upper range, and characters that turn or break lines. */
static bool is_steering(uint32_t code)
{
	return (code >= 0x80 && code <= 0x9f) || code == 0x200e || code == 0x200f ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
	       code == 0xfeff;
}

/* What is left to clean of a text; yields it in pieces that can be printed. */
struct clean_cursor {
	const char *text;
	size_t left; /* bytes of the maximum */
	struct words spelling;
};

/* Returns the length of the next piece, written to @ret_piece; 0 at the end. */
static size_t clean_next(struct clean_cursor *cursor, const char **ret_piece)
{
	const unsigned char *byte = (const unsigned char *)cursor->text;
	size_t run = 0, len = 0;
	uint32_t code = 0;

	if (!cursor->left && byte[0]) {
		cursor->text = "";
		*ret_piece = "...";
		return 3;
	}
	while (run < cursor->left && byte[run]) {
		bool ascii = byte[run] >= 0x20 && byte[run] < 0x7f;

		len = ascii ? 1 : byte[run] < 0x80 ? 0 : utf8_decode(byte + run, &code);
		if (!len || (!ascii && is_steering(code)))
			break;
		run += len;
	}
	if (run) {
		*ret_piece = cursor->text;
	} else if (byte[0]) {
		if (len)
			snprintf(cursor->spelling.text, sizeof(cursor->spelling.text), "\\u%04x",
				 code);
		else
			snprintf(cursor->spelling.text, sizeof(cursor->spelling.text), "\\x%02x",
				 byte[0]);
		*ret_piece = cursor->spelling.text;
	} else {
		return 0;
	}
	len = run ? run : len ? len : 1;
	cursor->text += len;
	cursor->left -= len < cursor->left ? len : cursor->left;
	return run ? run : strlen(cursor->spelling.text);
}

int clean_append(struct buf *buf, const char *text)
{
	struct clean_cursor cursor = { .text = text, .left = CLEAN_MAX_BYTES };
	const char *piece;
	size_t len;

	while ((len = clean_next(&cursor, &piece)) > 0)
		buf_put(buf, piece, len);
	return buf->failed ? -ENOMEM : 0;
}

void put_clean(FILE *out, const char *text)
{
	struct clean_cursor cursor = { .text = text, .left = CLEAN_MAX_BYTES };
	const char *piece;
	size_t len;

	while ((len = clean_next(&cursor, &piece)) > 0)
		fwrite(piece, 1, len, out);
}
