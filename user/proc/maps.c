/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "proc/maps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/table.h"

#define MAPS_TEXT_MAX_BYTES (64u << 20)
#define MAPS_MAPPING_MAX (1u << 20)

void maps_init(struct maps *maps)
{
	vec_init(&maps->mappings, sizeof(struct mapping), MAPS_MAPPING_MAX);
	buf_init(&maps->text, MAPS_TEXT_MAX_BYTES);
	maps->bad_line_cnt = 0;
}

void maps_release(struct maps *maps)
{
	vec_release(&maps->mappings);
	buf_release(&maps->text);
}

/* A cursor over one line. */
struct scan {
	const char *at;
	const char *end;
};

static bool scan_char(struct scan *scan, char c)
{
	if (scan->at == scan->end || *scan->at != c)
		return false;
	scan->at++;
	return true;
}

/* Reads at least one digit of @base (10 or 16). */
static bool scan_number(struct scan *scan, uint64_t base, uint64_t *ret)
{
	const char *start = scan->at;
	uint64_t value = 0;

	for (; scan->at < scan->end; scan->at++) {
		char c = *scan->at;
		uint64_t digit;

		if (c >= '0' && c <= '9')
			digit = (uint64_t)(c - '0');
		else if (base == 16 && c >= 'a' && c <= 'f')
			digit = (uint64_t)(c - 'a' + 10);
		else
			break;
		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return false;
	}
	*ret = value;
	return scan->at > start;
}

static bool scan_u32(struct scan *scan, uint64_t base, uint32_t *ret)
{
	uint64_t value;

	if (!scan_number(scan, base, &value) || value > UINT32_MAX)
		return false;
	*ret = (uint32_t)value;
	return true;
}

static bool scan_protection(struct scan *scan, struct mapping *mapping)
{
	if (scan->end - scan->at < 4)
		return false;
	mapping->readable = scan->at[0] == 'r';
	mapping->writable = scan->at[1] == 'w';
	mapping->executable = scan->at[2] == 'x';
	scan->at += 4;
	return true;
}

/* 7f00-7f10 r-xp 00001000 fe:00 1234      /path */
static bool parse_line(struct scan *scan, struct mapping *mapping)
{
	if (!scan_number(scan, 16, &mapping->start_addr) || !scan_char(scan, '-') ||
	    !scan_number(scan, 16, &mapping->end_addr) || !scan_char(scan, ' ') ||
	    !scan_protection(scan, mapping) || !scan_char(scan, ' ') ||
	    !scan_number(scan, 16, &mapping->file_off) || !scan_char(scan, ' ') ||
	    !scan_u32(scan, 16, &mapping->dev_major) || !scan_char(scan, ':') ||
	    !scan_u32(scan, 16, &mapping->dev_minor) || !scan_char(scan, ' ') ||
	    !scan_number(scan, 10, &mapping->inode))
		return false;
	while (scan_char(scan, ' '))
		;
	return mapping->start_addr < mapping->end_addr;
}

/* Cuts " (deleted)" off the path that starts at @path_off and ends at @end. */
static void cut_deleted(struct buf *text, struct mapping *mapping, size_t end)
{
	static const char mark[] = " (deleted)";
	size_t len = sizeof(mark) - 1;

	if (end - mapping->path_off <= len || memcmp(text->data + end - len, mark, len))
		return;
	mapping->deleted = true;
	text->data[end - len] = '\0';
}

static int parse_text(struct maps *maps)
{
	struct buf *text = &maps->text;
	uint64_t last_end = 0;
	size_t pos = 0;

	while (pos < text->len) {
		char *newline = memchr(text->data + pos, '\n', text->len - pos);
		size_t end = newline ? (size_t)(newline - text->data) : text->len;
		struct scan scan = { text->data + pos, text->data + end };
		struct mapping mapping = { 0 }, *slot;

		pos = end + 1;
		/* Order is checked too: maps_find relies on it. */
		if (!parse_line(&scan, &mapping) || mapping.start_addr < last_end) {
			maps->bad_line_cnt++;
			continue;
		}
		text->data[end] = '\0';
		mapping.path_off = (uint32_t)(scan.at - text->data);
		cut_deleted(text, &mapping, end);
		slot = vec_push(&maps->mappings);
		if (!slot)
			return -errno;
		*slot = mapping;
		last_end = mapping.end_addr;
	}
	return 0;
}

int maps_parse(struct maps *maps, const char *text, size_t len)
{
	int err;

	vec_clear(&maps->mappings);
	buf_clear(&maps->text);
	maps->bad_line_cnt = 0;
	err = buf_put(&maps->text, text, len);
	return err ? err : parse_text(maps);
}

int maps_read(struct maps *maps, pid_t tgid, struct err *err)
{
	char path[32];
	int code;

	vec_clear(&maps->mappings);
	buf_clear(&maps->text);
	maps->bad_line_cnt = 0;
	snprintf(path, sizeof(path), "/proc/%d/maps", tgid);
	code = file_read(path, &maps->text);
	if (code == -ENOENT)
		code = -ESRCH;
	if (!code && maps->text.len)
		code = parse_text(maps);
	if (code)
		return err_set_errno(err, code, "cannot read '%s'", path);
	return 0;
}

const struct mapping *maps_find(const struct maps *maps, uint64_t addr)
{
	uint32_t low = 0, high = maps->mappings.len;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const struct mapping *mapping = vec_at(&maps->mappings, mid);

		if (addr < mapping->start_addr)
			high = mid;
		else if (addr >= mapping->end_addr)
			low = mid + 1;
		else
			return mapping;
	}
	return NULL;
}

uint32_t maps_code(const struct maps *maps, uint64_t addr)
{
	const struct mapping *mapping = maps_find(maps, addr);
	uint64_t hash;

	/* While a library is loaded, all of it is mapped as data first. */
	if (!mapping || !mapping->inode || !mapping->executable)
		return 0;
	hash = hash_mix(mapping->inode, (uint64_t)mapping->dev_major << 32 | mapping->dev_minor);
	hash = hash_mix(hash, mapping->start_addr - mapping->file_off);
	return (uint32_t)hash | 1;
}

const char *maps_path(const struct maps *maps, const struct mapping *mapping)
{
	return maps->text.data + mapping->path_off;
}
