/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "symbolize/kallsyms.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "symbolize/hex.h"
#include "symbolize/ranges.h"

#define KALLSYMS_MAX_BYTES (256u << 20)
#define KALLSYMS_MAX (4u << 20)
#define FUNC_MAX_BYTES 65536

void kallsyms_init(struct kallsyms *syms)
{
	*syms = (struct kallsyms){ 0 };
	buf_init(&syms->text, KALLSYMS_MAX_BYTES);
	vec_init(&syms->entries, sizeof(struct kallsyms_entry), KALLSYMS_MAX);
	vec_init(&syms->ranges, sizeof(struct range), KALLSYMS_MAX);
}

void kallsyms_release(struct kallsyms *syms)
{
	buf_release(&syms->text);
	vec_release(&syms->entries);
	vec_release(&syms->ranges);
}

static void kallsyms_clear(struct kallsyms *syms)
{
	buf_clear(&syms->text);
	vec_clear(&syms->entries);
	vec_clear(&syms->ranges);
}

/* Whether @name is the linker's, of where a section begins or ends: nothing runs in it, though a
 * function may be at its address. */
static bool is_mark(const char *name)
{
	static const char *const ends[] = { "_text_start", "_text_end" };
	size_t len = strlen(name);

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t end_len = strlen(ends[i]);

		if (len > end_len && !strcmp(name + len - end_len, ends[i]))
			return true;
	}
	return false;
}

/* Adds the NUL-terminated @line if it is a function's. Returns 0 or -errno. */
static int kallsyms_add_line(struct kallsyms *syms, char *line)
{
	struct kallsyms_entry entry = { 0 };
	struct range range = { .id = syms->entries.len };
	const char *type = hex_parse_field(line, &entry.start_addr);
	char *module;
	int err;

	if (!type || !entry.start_addr || !type[0] || !strchr("tTwW", type[0]) || type[1] != ' ' ||
	    !type[2])
		return 0;
	entry.name_off = (uint32_t)(type + 2 - syms->text.data);
	module = strchr(line, '\t');
	if (module) {
		*module = '\0';
		entry.module_off = (uint32_t)(module + 1 - syms->text.data);
	}
	range.start_addr = entry.start_addr;
	err = vec_append(&syms->entries, &entry, 1);
	if (!err && !is_mark(type + 2))
		err = vec_append(&syms->ranges, &range, 1);
	return err;
}

/* By address, and at one address the first of the file last: the kernel names by the first. */
static int compare_functions(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->start_addr != y->start_addr)
		return x->start_addr < y->start_addr ? -1 : 1;
	return (x->id < y->id) - (x->id > y->id);
}

static int kallsyms_finish(struct kallsyms *syms)
{
	struct range *range = syms->ranges.data;
	uint64_t next_addr = UINT64_MAX;

	if (!syms->ranges.len)
		return 0;
	qsort(range, syms->ranges.len, sizeof(*range), compare_functions);
	for (uint32_t i = syms->ranges.len; i-- > 0;) {
		if (i + 1 < syms->ranges.len && range[i + 1].start_addr > range[i].start_addr)
			next_addr = range[i + 1].start_addr;
		range[i].rank = i;
		range[i].end_addr = next_addr;
		if (next_addr - range[i].start_addr > FUNC_MAX_BYTES &&
		    __builtin_add_overflow(range[i].start_addr, FUNC_MAX_BYTES, &range[i].end_addr))
			range[i].end_addr = UINT64_MAX;
	}
	return ranges_flatten(&syms->ranges);
}

/* Makes the index of .text. */
static int kallsyms_index(struct kallsyms *syms)
{
	char *line = syms->text.data, *end;
	size_t left = syms->text.len;
	bool empty = !left;
	int err = 0;

	for (; left && (end = memchr(line, '\n', left)); line = end + 1) {
		left -= (size_t)(end + 1 - line);
		*end = '\0';
		err = kallsyms_add_line(syms, line);
		if (err)
			break;
	}
	if (!err)
		err = kallsyms_finish(syms);
	if (!err && !empty && !syms->entries.len)
		err = -EPERM;
	if (err)
		kallsyms_clear(syms);
	return err;
}

int kallsyms_parse(struct kallsyms *syms, const char *text, size_t len)
{
	int err;

	kallsyms_clear(syms);
	err = buf_put(&syms->text, text, len);
	return err ? err : kallsyms_index(syms);
}

int kallsyms_read(struct kallsyms *syms, struct err *err)
{
	static const char path[] = "/proc/kallsyms";
	int code;

	kallsyms_clear(syms);
	code = file_read(path, &syms->text);
	if (code) {
		kallsyms_clear(syms);
		return err_set_errno(err, code, "cannot read '%s'", path);
	}
	code = kallsyms_index(syms);
	if (code == -EPERM)
		return err_set(err, code,
			       "'%s' shows no addresses: kernel frames have no names; needs "
			       "CAP_SYSLOG, or kernel.kptr_restrict below 2",
			       path);
	if (code)
		return err_set_errno(err, code, "cannot use '%s'", path);
	return 0;
}

const struct kallsyms_entry *kallsyms_find(const struct kallsyms *syms, uint64_t addr)
{
	const struct range *range = ranges_find(&syms->ranges, addr);

	return range ? vec_at(&syms->entries, range->id) : NULL;
}

uint64_t kallsyms_addr(const struct kallsyms *syms, const char *name)
{
	for (uint32_t i = 0; i < syms->entries.len; i++) {
		const struct kallsyms_entry *entry = vec_at(&syms->entries, i);

		if (!strcmp(kallsyms_text(syms, entry->name_off), name))
			return entry->start_addr;
	}
	return 0;
}

int kallsyms_extent(const struct kallsyms *syms, const char *name, uint64_t *ret_start_addr,
		    uint64_t *ret_end_addr)
{
	const struct range *range = ranges_find(&syms->ranges, kallsyms_addr(syms, name));

	if (!range)
		return 0;
	*ret_start_addr = range->start_addr;
	*ret_end_addr = range->end_addr;
	return 1;
}
