/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "proc/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/num.h"

#define PROCS_MAX_BYTES (4u << 20)
#define MOUNT_LINE_BYTES 16384
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* -- which directory -- */

static bool is_cgroup(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) &&
	       (fs.f_type == CGROUP2_SUPER_MAGIC || fs.f_type == CGROUP_SUPER_MAGIC);
}

static bool is_dir(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* Whether @name goes back up somewhere: it could leave the hierarchy. */
static bool goes_up(const char *name)
{
	for (const char *part = name; part; part = strchr(part, '/')) {
		part += *part == '/';
		if (!strncmp(part, "..", 2) && (!part[2] || part[2] == '/'))
			return true;
	}
	return false;
}

static int find_in_type(FILE *mounts, const char *type, const char *name, struct cgroup *ret)
{
	char line[MOUNT_LINE_BYTES];
	struct mntent mount;

	rewind(mounts);
	while (getmntent_r(mounts, &mount, line, sizeof(line))) {
		struct cgroup found;
		int len;

		if (strcmp(mount.mnt_type, type) != 0)
			continue;
		len = snprintf(found.path, sizeof(found.path), "%s/%s", mount.mnt_dir, name);
		if (len < 0 || len >= (int)sizeof(found.path) || !is_dir(found.path))
			continue;
		*ret = found;
		return 0;
	}
	return -ENOENT;
}

int cgroup_find_below(FILE *mounts, const char *name, struct cgroup *ret)
{
	int err;

	name += strspn(name, "/");
	if (goes_up(name))
		return -ENOENT;
	err = find_in_type(mounts, "cgroup2", name, ret);
	return err ? find_in_type(mounts, "cgroup", name, ret) : 0;
}

int cgroup_find(const char *name, struct cgroup *ret, struct err *err)
{
	_cleanup_fclose_ FILE *mounts = NULL;
	size_t len = strlen(name);

	if (name[0] == '/' && len < sizeof(ret->path) && is_cgroup(name) && is_dir(name)) {
		memcpy(ret->path, name, len + 1);
		return 0;
	}
	mounts = fopen("/proc/self/mounts", "re");
	if (!mounts)
		return err_set_errno(err, -errno, "cannot read '/proc/self/mounts'");
	if (!cgroup_find_below(mounts, name, ret))
		return 0;
	if (name[0] == '/' && is_dir(name))
		return err_set(err, -EINVAL,
			       "'%s' is a directory, but no cgroup: cgroups are below "
			       "/sys/fs/cgroup",
			       name);
	return err_set(err, -ENOENT,
		       "no cgroup '%s': 'systemd-cgls' and /proc/PID/cgroup show their paths",
		       name);
}

/* -- which processes -- */

/* A reading of a tree of cgroups. */
struct reading {
	struct vec *tgids;
	struct buf text;
	uint32_t cgroup_cnt;
};

int cgroup_parse_procs(const char *text, struct vec *tgids)
{
	char digits[12];
	int err = 0;

	for (size_t len; *text && !err; text += len + (text[len] == '\n')) {
		uint32_t id;
		pid_t tgid;

		len = strcspn(text, "\n");
		if (!len || len >= sizeof(digits))
			continue;
		memcpy(digits, text, len);
		digits[len] = '\0';
		/* 0 stands for processes that our PID namespace does not see. */
		if (parse_u32(digits, 1, INT_MAX, &id))
			continue;
		tgid = (pid_t)id;
		err = vec_append(tgids, &tgid, 1);
	}
	return err;
}

static int read_procs(struct reading *reading, int dir_fd)
{
	_cleanup_close_ int fd = openat(dir_fd, "cgroup.procs", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	buf_clear(&reading->text);
	err = file_read_fd(fd, &reading->text);
	return err ? err : cgroup_parse_procs(buf_text(&reading->text), reading->tgids);
}

static bool may_be_dir(const struct dirent *entry)
{
	if (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN)
		return false;
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* Reads the cgroup of @fd, which is closed, and those below it. */
static int read_tree(struct reading *reading, int fd, uint32_t depth)
{
	_cleanup_closedir_ DIR *dir = fdopendir(fd);
	struct dirent *entry;
	int err;

	if (!dir) {
		err = -errno;
		close(fd);
		return err;
	}
	if (++reading->cgroup_cnt > CGROUP_MAX || depth > CGROUP_DEPTH_MAX)
		return -E2BIG;
	err = read_procs(reading, fd);
	/* One below may go meanwhile; threads of one are those of a process above. */
	if (err && (!depth || (err != -ENOENT && err != -ENODEV && err != -EOPNOTSUPP)))
		return err;
	while ((entry = readdir(dir))) {
		int below;

		if (!may_be_dir(entry))
			continue;
		below = openat(fd, entry->d_name, DIR_FLAGS);
		if (below < 0)
			continue; /* gone, or no directory */
		err = read_tree(reading, below, depth + 1);
		if (err)
			return err;
	}
	return 0;
}

int cgroup_read(const struct cgroup *cgroup, struct vec *tgids)
{
	struct reading reading = { .tgids = tgids };
	int fd = open(cgroup->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	buf_init(&reading.text, PROCS_MAX_BYTES);
	err = read_tree(&reading, fd, 0);
	buf_release(&reading.text);
	return err == -ENODEV ? -ENOENT : err; /* it went while it was read */
}
