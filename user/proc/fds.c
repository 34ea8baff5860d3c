/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "proc/fds.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/num.h"
#include "base/vec.h"

#define EPOLL_TEXT_MAX (4u << 20) /* some 50,000 watched descriptors */
#define LINK_BYTES 64		  /* enough for "socket:[18446744073709551615]" */

struct fd_holders {
	struct vec list; /* struct fd_holder, by (type, inode, tgid, fd) once scanned */
	uint32_t seen_cnt;
	bool scanned;
};

/* Parses the inode of "@kind:[inode]" into @ret_inode. */
static bool parse_inode(const char *link, const char *kind, uint64_t *ret_inode)
{
	size_t kind_len = strlen(kind), len = strlen(link);
	char digits[24];

	if (strncmp(link, kind, kind_len) || len < kind_len + 4 || link[len - 1] != ']' ||
	    strncmp(link + kind_len, ":[", 2) || len - kind_len - 3 >= sizeof(digits))
		return false;
	memcpy(digits, link + kind_len + 2, len - kind_len - 3);
	digits[len - kind_len - 3] = '\0';
	return !parse_u64(digits, 0, UINT64_MAX, ret_inode);
}

void fds_parse_link(const char *link, struct fd_target *ret)
{
	static const char anon[] = "anon_inode:";
	size_t len = strlen(link);

	*ret = (struct fd_target){ .type = FD_FILE };
	if (parse_inode(link, "pipe", &ret->inode)) {
		ret->type = FD_PIPE;
		return;
	}
	if (parse_inode(link, "socket", &ret->inode)) {
		ret->type = FD_SOCKET;
		return;
	}
	if (!strncmp(link, anon, sizeof(anon) - 1)) {
		ret->type = FD_ANON;
		link += sizeof(anon) - 1;
		len = strlen(link);
		if (len > 2 && link[0] == '[' && link[len - 1] == ']') {
			link++;
			len -= 2;
		}
	}
	if (len >= sizeof(ret->path))
		len = sizeof(ret->path) - 1;
	memcpy(ret->path, link, len);
}

int fds_read(pid_t tgid, int fd, struct fd_target *ret)
{
	char path[64], link[PATH_MAX];
	ssize_t len;
	int err;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", tgid, fd);
	len = readlink(path, link, sizeof(link) - 1);
	if (len < 0) {
		err = -errno;
		snprintf(path, sizeof(path), "/proc/%d", tgid);
		return err == -ENOENT && access(path, F_OK) ? -ESRCH : err;
	}
	link[len] = '\0';
	fds_parse_link(link, ret);
	return 0;
}

bool fds_is_regular(pid_t tgid, int fd)
{
	struct statx stx;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", tgid, fd);
	return !statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_TYPE, &stx) &&
	       stx.stx_mask & STATX_TYPE && S_ISREG(stx.stx_mode);
}

uint32_t fds_parse_epoll(const char *text)
{
	uint32_t cnt = 0;

	while (text && *text) {
		cnt += !strncmp(text, "tfd:", 4);
		text = strchr(text, '\n');
		if (text)
			text++;
	}
	return cnt;
}

int fds_count_epoll(pid_t tgid, int fd, uint32_t *ret_cnt)
{
	char path[64];
	struct buf text;
	int err;

	buf_init(&text, EPOLL_TEXT_MAX);
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", tgid, fd);
	err = file_read(path, &text);
	if (!err || err == -E2BIG)
		*ret_cnt = fds_parse_epoll(buf_text(&text));
	buf_release(&text);
	return err;
}

struct fd_holders *fd_holders_new(void)
{
	struct fd_holders *holders = calloc(1, sizeof(*holders));

	if (holders)
		vec_init(&holders->list, sizeof(struct fd_holder), FD_SCAN_MAX);
	return holders;
}

void fd_holders_free(struct fd_holders *holders)
{
	if (!holders)
		return;
	vec_release(&holders->list);
	free(holders);
}

/* Adds what descriptor @name in the directory @dir_fd is, if a pipe or a socket. */
static void scan_fd(struct fd_holders *holders, int dir_fd, uint32_t tgid, const char *name)
{
	struct fd_holder *holder;
	struct fd_target target;
	char link[LINK_BYTES];
	struct stat st;
	uint32_t fd;
	ssize_t len;

	if (parse_u32(name, 0, INT_MAX, &fd))
		return;
	len = readlinkat(dir_fd, name, link, sizeof(link) - 1);
	if (len < 0)
		return;
	link[len] = '\0';
	fds_parse_link(link, &target);
	if (target.type != FD_PIPE && target.type != FD_SOCKET)
		return;
	/* The link's own permissions tell how the descriptor was opened. */
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return;
	holder = vec_push(&holders->list);
	if (holder)
		*holder = (struct fd_holder){ .inode = target.inode,
					      .tgid = tgid,
					      .fd = (int32_t)fd,
					      .type = (uint8_t)target.type,
					      .readable = st.st_mode & S_IRUSR,
					      .writable = st.st_mode & S_IWUSR };
}

static void scan_process(struct fd_holders *holders, uint32_t tgid)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/fd", tgid);
	dir = opendir(path);
	while (dir && holders->seen_cnt < FD_SCAN_MAX && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		holders->seen_cnt++;
		scan_fd(holders, dirfd(dir), tgid, entry->d_name);
	}
}

/* Orders by type and inode alone when @with_place is false. */
static int compare_holders(const struct fd_holder *a, const struct fd_holder *b, bool with_place)
{
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	if (a->inode != b->inode)
		return a->inode < b->inode ? -1 : 1;
	if (!with_place)
		return 0;
	if (a->tgid != b->tgid)
		return a->tgid < b->tgid ? -1 : 1;
	return a->fd < b->fd ? -1 : a->fd > b->fd;
}

static int compare_for_sort(const void *a, const void *b)
{
	return compare_holders(a, b, true);
}

static void scan_all(struct fd_holders *holders, uint32_t first_tgid)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc");
	struct dirent *entry;
	uint32_t tgid;

	scan_process(holders, first_tgid);
	while (dir && holders->seen_cnt < FD_SCAN_MAX && (entry = readdir(dir)))
		if (!parse_u32(entry->d_name, 1, INT_MAX, &tgid) && tgid != first_tgid)
			scan_process(holders, tgid);
	if (holders->list.len)
		qsort(holders->list.data, holders->list.len, sizeof(struct fd_holder),
		      compare_for_sort);
}

const struct fd_holder *fd_holders_find(struct fd_holders *holders, pid_t first_tgid,
					enum fd_type type, uint64_t inode, uint32_t *ret_cnt)
{
	const struct fd_holder key = { .type = (uint8_t)type, .inode = inode };
	uint32_t low = 0, high, end;

	if (!holders->scanned) {
		holders->scanned = true;
		scan_all(holders, (uint32_t)first_tgid);
	}
	for (high = holders->list.len; low < high;) {
		uint32_t mid = low + (high - low) / 2;

		if (compare_holders(vec_at(&holders->list, mid), &key, false) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (end = low; end < holders->list.len; end++)
		if (compare_holders(vec_at(&holders->list, end), &key, false))
			break;
	*ret_cnt = end - low;
	return end > low ? vec_at(&holders->list, low) : NULL;
}
