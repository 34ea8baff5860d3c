/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "proc/pidns.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/num.h"
#include "proc/process.h"

uint32_t pidns_parse_status(const char *text, uint32_t *ret_innermost)
{
	static const char heading[] = "\nNSpid:";
	const char *c = strstr(text, heading);
	uint32_t cnt = 0, id;
	char digits[12];
	size_t len;

	if (!c)
		return 0;
	for (c += sizeof(heading) - 1; *c && *c != '\n'; c += len) {
		c += strspn(c, "\t ");
		len = strcspn(c, "\t \n");
		if (!len)
			break;
		if (len >= sizeof(digits))
			return 0;
		memcpy(digits, c, len);
		digits[len] = '\0';
		if (parse_u32(digits, 0, INT_MAX, &id))
			return 0;
		cnt++;
		*ret_innermost = id;
	}
	return cnt;
}

static uint32_t read_status(const char *path, struct buf *text, uint32_t *ret_innermost)
{
	buf_clear(text);
	return file_read(path, text) ? 0 : pidns_parse_status(buf_text(text), ret_innermost);
}

bool pidns_is_nested(pid_t tgid)
{
	uint32_t cnt, innermost;
	struct buf text;
	char path[64];

	buf_init(&text, PROCESS_STATUS_MAX_BYTES);
	snprintf(path, sizeof(path), "/proc/%d/status", tgid);
	cnt = read_status(path, &text, &innermost);
	buf_release(&text);
	return cnt > 1;
}

int pidns_read_threads(pid_t tgid, struct table *threads)
{
	_cleanup_closedir_ DIR *dir = NULL;
	uint32_t tid, innermost;
	struct dirent *entry;
	struct buf text;
	char path[64];
	int err = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", tgid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	buf_init(&text, PROCESS_STATUS_MAX_BYTES);
	while (!err && (entry = readdir(dir))) {
		if (parse_u32(entry->d_name, 1, INT_MAX, &tid))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%u/status", tgid, tid);
		if (read_status(path, &text, &innermost))
			err = table_put(threads, innermost, tid);
	}
	buf_release(&text);
	return err == -E2BIG ? 0 : err;
}
