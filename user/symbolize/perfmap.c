/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "symbolize/perfmap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/num.h"
#include "proc/process.h"
#include "proc/root.h"
#include "symbolize/hex.h"
#include "symbolize/ranges.h"

#define PERFMAP_MAX_BYTES (64u << 20)
#define PERFMAP_ENTRY_MAX (2u << 20)

void perfmap_init(struct perfmap *map)
{
	*map = (struct perfmap){ 0 };
	buf_init(&map->text, PERFMAP_MAX_BYTES);
	vec_init(&map->entries, sizeof(struct perfmap_entry), PERFMAP_ENTRY_MAX);
	vec_init(&map->ranges, sizeof(struct range), PERFMAP_ENTRY_MAX);
}

void perfmap_release(struct perfmap *map)
{
	buf_release(&map->text);
	vec_release(&map->entries);
	vec_release(&map->ranges);
}

static void perfmap_clear(struct perfmap *map)
{
	buf_clear(&map->text);
	vec_clear(&map->entries);
	vec_clear(&map->ranges);
	map->bad_line_cnt = map->lost_cnt = 0;
}

/* Adds the NUL-terminated @line. Returns 0, -EINVAL, -E2BIG or -ENOMEM. */
static int perfmap_add_line(struct perfmap *map, const char *line)
{
	struct perfmap_entry entry;
	struct range range = { .id = map->entries.len, .rank = map->entries.len };
	uint64_t size_bytes;
	const char *name;
	int err;

	name = hex_parse_field(line, &entry.start_addr);
	if (name)
		name = hex_parse_field(name, &size_bytes);
	if (!name || !name[0] || !size_bytes ||
	    __builtin_add_overflow(entry.start_addr, size_bytes, &range.end_addr))
		return -EINVAL;
	range.start_addr = entry.start_addr;
	entry.name_off = (uint32_t)(name - map->text.data);
	err = vec_append(&map->entries, &entry, 1);
	if (!err)
		err = vec_append(&map->ranges, &range, 1);
	return err;
}

/* Makes the index of .text. */
static int perfmap_index(struct perfmap *map)
{
	char *line = map->text.data, *end;
	size_t left = map->text.len;
	int err;

	for (; left && (end = memchr(line, '\n', left)); line = end + 1) {
		left -= (size_t)(end + 1 - line);
		*end = '\0';
		if (end > line && end[-1] == '\r')
			end[-1] = '\0';
		err = perfmap_add_line(map, line);
		if (err == -ENOMEM) {
			perfmap_clear(map);
			return err;
		}
		map->bad_line_cnt += err == -EINVAL;
		map->lost_cnt += err == -E2BIG;
	}
	err = ranges_flatten(&map->ranges);
	if (err)
		perfmap_clear(map);
	return err ? err : map->lost_cnt ? -E2BIG : 0;
}

int perfmap_parse(struct perfmap *map, const char *text, size_t len)
{
	int put, err;

	perfmap_clear(map);
	put = buf_put(&map->text, text, len < PERFMAP_MAX_BYTES ? len : PERFMAP_MAX_BYTES);
	err = put ? put : perfmap_index(map);
	return !err && len > PERFMAP_MAX_BYTES ? -E2BIG : err;
}

/* Reads the last number of the line of @status that starts with @key. Returns 0 or -EINVAL. */
static int status_last_number(const char *status, const char *key, uint32_t *ret)
{
	const char *line = strstr(status, key);
	char number[16];
	const char *last;
	size_t len;

	if (!line)
		return -EINVAL;
	line += strlen(key);
	len = strcspn(line, "\n");
	last = memrchr(line, '\t', len);
	if (!last)
		return -EINVAL;
	len = (size_t)(line + len - (last + 1));
	if (len >= sizeof(number))
		return -EINVAL;
	memcpy(number, last + 1, len);
	number[len] = '\0';
	return parse_u32(number, 0, UINT32_MAX, ret);
}

/* Reads the target's pid in its innermost namespace, and the user that its files belong to. */
static int read_identity(pid_t tgid, uint32_t *ret_own_pid, uint32_t *ret_uid)
{
	struct buf status;
	char path[40];
	int err;

	buf_init(&status, PROCESS_STATUS_MAX_BYTES);
	snprintf(path, sizeof(path), "/proc/%d/status", tgid);
	err = file_read(path, &status);
	if (!err)
		err = status_last_number(buf_text(&status), "\nUid:", ret_uid);
	if (!err)
		err = status_last_number(buf_text(&status), "\nNSpid:", ret_own_pid);
	buf_release(&status);
	return err;
}

int perfmap_read(struct perfmap *map, pid_t tgid)
{
	_cleanup_close_ int fd = -1;
	char root[32], name[40];
	struct stat st;
	uint32_t own_pid, uid;
	int err, read_err;

	perfmap_clear(map);
	err = read_identity(tgid, &own_pid, &uid);
	if (err)
		return err;
	snprintf(name, sizeof(name), "tmp/perf-%u.map", own_pid);
	snprintf(root, sizeof(root), "/proc/%d/root", tgid);
	fd = root_open(root, name, false, &st);
	if (fd < 0)
		return fd;
	if (st.st_uid != uid && st.st_uid != 0)
		return -EPERM;
	read_err = file_read_fd(fd, &map->text);
	if (read_err && read_err != -E2BIG) {
		perfmap_clear(map);
		return read_err;
	}
	err = perfmap_index(map);
	return err ? err : read_err;
}

const char *perfmap_find(const struct perfmap *map, uint64_t addr, uint64_t *ret_start_addr)
{
	const struct range *range = ranges_find(&map->ranges, addr);
	const struct perfmap_entry *entry;

	if (!range)
		return NULL;
	entry = vec_at(&map->entries, range->id);
	*ret_start_addr = entry->start_addr;
	return map->text.data + entry->name_off;
}
