/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "fdcheck.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static unsigned int cnt_at_start;

/* Counts the descriptors and, with @out, lists them. */
static unsigned int walk_fds(FILE *out)
{
	unsigned int cnt = 0;
	struct dirent *entry;
	DIR *dir = opendir("/proc/self/fd");

	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		char target[256];
		ssize_t len;
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] == '.' || fd == dirfd(dir))
			continue;
		cnt++;
		len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target));
		if (out && len > 0)
			fprintf(out, "fd %d: %.*s\n", fd, (int)len, target);
	}
	closedir(dir);
	return cnt;
}

unsigned int fdcheck_count(void)
{
	return walk_fds(NULL);
}

__attribute__((constructor)) static void note_start(void)
{
	cnt_at_start = fdcheck_count();
}

__attribute__((destructor)) static void compare_at_end(void)
{
	if (fdcheck_count() <= cnt_at_start)
		return;
	fprintf(stderr, "file descriptors leaked (%u at the start):\n", cnt_at_start);
	walk_fds(stderr);
	_exit(1);
}
