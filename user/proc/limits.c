/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "proc/limits.h"

#include <dirent.h>
#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/num.h"
#include "proc/process.h"

#define PATH_BYTES 4096
#define MOUNT_LINE_BYTES 16384
#define USER_MAX (1u << 20)
#define CAP_SYS_ADMIN_BIT (1ULL << 21)
#define CAP_SYS_RESOURCE_BIT (1ULL << 24)

void limits_init(struct limits *limits, const char *proc)
{
	*limits = (struct limits){ .proc = proc };
	table_init(&limits->threads_by_user, USER_MAX);
}

void limits_release(struct limits *limits)
{
	table_release(&limits->threads_by_user);
}

/* Reads the file @name of @dir into @text, which is initialised, and released by the caller. */
static int read_text(const char *dir, const char *name, struct buf *text)
{
	char path[PATH_BYTES];

	buf_init(text, PROCESS_STATUS_MAX_BYTES);
	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return file_read(path, text);
}

/* Reads the number that file @name of @dir begins with. Returns 0, or -errno; "max" is no number.
 */
static int read_number(const char *dir, const char *name, uint64_t *ret)
{
	char digits[24] = "";
	struct buf text;
	int err = read_text(dir, name, &text);
	size_t len = strcspn(buf_text(&text), " \t\n");

	if (!err && len < sizeof(digits))
		memcpy(digits, buf_text(&text), len);
	buf_release(&text);
	return err ? err : parse_u64(digits, 0, UINT64_MAX, ret);
}

/* Returns what stands behind "@key" and blanks at the start of a line of @text, or NULL. */
static const char *field(const struct buf *text, const char *key)
{
	const char *line = buf_text(text);

	while (strncmp(line, key, strlen(key)) != 0) {
		line = strchr(line, '\n');
		if (!line)
			return NULL;
		line++;
	}
	line += strlen(key);
	return line + strspn(line, " \t");
}

/* Parses the digits that @text begins with, of base 10 or 16. */
static int parse_word(const char *text, bool hex, uint64_t *ret)
{
	char word[24] = "";
	size_t len = text ? strcspn(text, " \t\n") : 0;
	char tail;

	if (!len || len >= sizeof(word))
		return -EINVAL;
	memcpy(word, text, len);
	if (!hex)
		return parse_u64(word, 0, UINT64_MAX, ret);
	return sscanf(word, "%lx%c", ret, &tail) == 1 ? 0 : -EINVAL;
}

static int add_limit(struct vec *ret, enum thread_limit_of of, uint64_t max, uint64_t used,
		     const char *name)
{
	struct thread_limit limit = { .of = of, .max = max, .used = used };

	snprintf(limit.name, sizeof(limit.name), "%.*s", LIMIT_NAME_BYTES - 1, name);
	return vec_append(ret, &limit, 1);
}

/* -- of the user -- */

/* Adds the threads of the process whose directory is @name to its user's. */
static void count_process(struct limits *limits, const char *name)
{
	uint64_t user, thread_cnt;
	char dir[PATH_BYTES];
	uint32_t sum = 0;
	struct buf status;

	if (snprintf(dir, sizeof(dir), "%s/%s", limits->proc, name) >= (int)sizeof(dir))
		return;
	if (!read_text(dir, "status", &status) &&
	    !parse_word(field(&status, "Uid:"), false, &user) &&
	    !parse_word(field(&status, "Threads:"), false, &thread_cnt)) {
		table_find(&limits->threads_by_user, user, &sum);
		table_put(&limits->threads_by_user, user, sum + (uint32_t)thread_cnt);
	}
	buf_release(&status);
}

static void count_users(struct limits *limits)
{
	_cleanup_closedir_ DIR *dir = opendir(limits->proc);
	struct dirent *entry;
	uint32_t tgid;

	limits->has_counted = true;
	while (dir && (entry = readdir(dir)))
		if (!parse_u32(entry->d_name, 1, INT32_MAX, &tgid))
			count_process(limits, entry->d_name);
}

/* Whether the process lives in the same user namespace as loiter, where its capabilities count. */
static bool shares_user_namespace(const struct limits *limits, const char *dir)
{
	char path[PATH_BYTES], own[64] = "", other[64] = "";

	if (snprintf(path, sizeof(path), "%s/ns/user", dir) >= (int)sizeof(path) ||
	    readlink(path, other, sizeof(other) - 1) < 0 ||
	    snprintf(path, sizeof(path), "%s/self/ns/user", limits->proc) >= (int)sizeof(path) ||
	    readlink(path, own, sizeof(own) - 1) < 0)
		return true;
	return !strcmp(own, other);
}

/* The kernel's own root is not bound by it, nor who has one of two capabilities. */
static int add_user(struct limits *limits, const char *dir, struct vec *ret)
{
	struct buf status, rlimits;
	uint64_t user, caps = 0, max;
	uint32_t used = 0;
	bool holds = !read_text(dir, "status", &status);

	holds &= !read_text(dir, "limits", &rlimits);
	holds = holds && !parse_word(field(&status, "Uid:"), false, &user) && user &&
		!parse_word(field(&rlimits, "Max processes"), false, &max);
	if (holds && !parse_word(field(&status, "CapEff:"), true, &caps) &&
	    shares_user_namespace(limits, dir))
		holds = !(caps & (CAP_SYS_ADMIN_BIT | CAP_SYS_RESOURCE_BIT));
	buf_release(&status);
	buf_release(&rlimits);
	if (!holds)
		return 0;
	if (!limits->has_counted)
		count_users(limits);
	table_find(&limits->threads_by_user, user, &used);
	return add_limit(ret, THREAD_LIMIT_OF_USER, max, used, "");
}

/* -- of the cgroups -- */

/* Whether the comma-separated @list has @word. */
static bool list_has(const char *list, size_t len, const char *word)
{
	size_t word_len = strlen(word);

	for (const char *at = list; at < list + len; at += strcspn(at, ",:") + 1)
		if (!strncmp(at, word, word_len) && strchr(",:", at[word_len]))
			return true;
	return false;
}

/* Writes the path of the process's cgroup in the hierarchy that counts threads to @path: a line
 * "4:pids:/a/b" of version 1, else "0::/a/b". Returns whether there is one. */
static bool find_cgroup(const char *text, bool *ret_v1, char *path, size_t len)
{
	for (int pass = 0; pass < 2; pass++) {
		for (const char *line = text; *line; line += strcspn(line, "\n"), line += !!*line) {
			const char *list = strchr(line, ':');
			const char *name = list ? strchr(list + 1, ':') : NULL;
			size_t name_len;

			if (!name)
				break;
			if (pass ? list + 1 != name
				 : !list_has(list + 1, (size_t)(name - list - 1), "pids"))
				continue;
			name_len = strcspn(name + 1, "\n");
			if (name_len >= len || name[1] != '/')
				return false;
			memcpy(path, name + 1, name_len);
			path[name_len] = '\0';
			*ret_v1 = !pass;
			return !strstr(path, "/.."); /* of another cgroup namespace */
		}
	}
	return false;
}

/* Writes the directory that the hierarchy is mounted at to @dir. Returns whether there is one. */
static bool find_mount(const struct limits *limits, bool v1, char *dir, size_t len)
{
	char path[PATH_BYTES], line[MOUNT_LINE_BYTES];
	_cleanup_fclose_ FILE *mounts = NULL;
	struct mntent mount;

	if (snprintf(path, sizeof(path), "%s/self/mounts", limits->proc) >= (int)sizeof(path))
		return false;
	mounts = fopen(path, "re");
	while (mounts && getmntent_r(mounts, &mount, line, sizeof(line))) {
		bool fits = v1 ? !strcmp(mount.mnt_type, "cgroup") && hasmntopt(&mount, "pids")
			       : !strcmp(mount.mnt_type, "cgroup2");

		if (fits)
			return snprintf(dir, len, "%s", mount.mnt_dir) < (int)len;
	}
	return false;
}

/* From the process's cgroup up to the root, which has none. */
static int add_cgroups(const struct limits *limits, const char *dir, struct vec *ret)
{
	char root[PATH_BYTES], name[PATH_BYTES], path[2 * PATH_BYTES];
	struct buf text;
	bool v1 = false, found = false;
	int err = 0;

	if (!read_text(dir, "cgroup", &text))
		found = find_cgroup(buf_text(&text), &v1, name, sizeof(name));
	buf_release(&text);
	if (!found || !find_mount(limits, v1, root, sizeof(root)))
		return 0;
	while (!err && name[0] && strcmp(name, "/") != 0) {
		uint64_t max, used;

		snprintf(path, sizeof(path), "%s%s", root, name);
		if (!read_number(path, "pids.max", &max) &&
		    !read_number(path, "pids.current", &used))
			err = add_limit(ret, THREAD_LIMIT_OF_CGROUP, max, used, name + 1);
		*strrchr(name, '/') = '\0';
	}
	return err;
}

/* -- of the kernel -- */

static int add_kernel(const struct limits *limits, struct vec *ret)
{
	uint64_t max, used;
	struct buf text;
	const char *slash = NULL;
	int err = 0;

	/* "0.20 0.18 0.12 1/80 11206": threads that are runnable, and all there are */
	if (!read_text(limits->proc, "loadavg", &text))
		slash = strchr(buf_text(&text), '/');
	if (!slash || parse_word(slash + 1, false, &used))
		goto out;
	if (!read_number(limits->proc, "sys/kernel/threads-max", &max))
		err = add_limit(ret, THREAD_LIMIT_OF_KERNEL, max, used, "");
	if (!err && !read_number(limits->proc, "sys/kernel/pid_max", &max))
		err = add_limit(ret, THREAD_LIMIT_OF_PIDS, max, used, "");
out:
	buf_release(&text);
	return err;
}

int limits_read(struct limits *limits, pid_t tgid, struct vec *ret)
{
	char dir[PATH_BYTES];
	int err;

	if (snprintf(dir, sizeof(dir), "%s/%d", limits->proc, tgid) >= (int)sizeof(dir))
		return -ENAMETOOLONG;
	err = add_user(limits, dir, ret);
	if (!err)
		err = add_cgroups(limits, dir, ret);
	return err ? err : add_kernel(limits, ret);
}
