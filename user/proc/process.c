/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "proc/process.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/num.h"

#define EXE_BYTES 4096
#define PF_KTHREAD 0x00200000 /* include/linux/sched.h */

/* Copies the value of "Key:\tvalue" of /proc/PID/status to @value. Returns 1 when found, else 0. */
static int status_field(const char *status, const char *key, char *value, size_t len)
{
	size_t key_len = strlen(key);

	for (const char *line = status; line; line = strchr(line, '\n')) {
		size_t value_len;

		line += *line == '\n';
		if (strncmp(line, key, key_len) || line[key_len] != ':')
			continue;
		line += key_len + 1;
		line += strspn(line, " \t");
		value_len = strcspn(line, "\n");
		if (value_len >= len)
			value_len = len - 1;
		memcpy(value, line, value_len);
		value[value_len] = '\0';
		return 1;
	}
	return 0;
}

static int read_proc_file(pid_t tgid, const char *name, struct buf *buf)
{
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/proc/%d/%s", tgid, name);
	buf_init(buf, PROCESS_STATUS_MAX_BYTES);
	err = file_read(path, buf);
	return err == -ENOENT ? -ESRCH : err;
}

/* The flags are the 9th field of /proc/PID/stat; the 2nd is the name in parentheses, which may hold
 * anything. */
static bool is_kernel_thread(pid_t tgid)
{
	struct buf stat;
	const char *at = NULL;
	unsigned int flags = 0;

	if (!read_proc_file(tgid, "stat", &stat)) {
		at = strrchr(buf_text(&stat), ')');
		if (at && sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1)
			flags = 0;
	}
	buf_release(&stat);
	return flags & PF_KTHREAD;
}

static int check_status(pid_t tgid, const char *status, struct err *err)
{
	char value[64], parent[64];
	uint32_t leader;

	if (status_field(status, "Tgid", value, sizeof(value)) &&
	    !parse_u32(value, 1, INT32_MAX, &leader) && (pid_t)leader != tgid)
		return err_set(err, -EINVAL, "'%d' is a thread of process %u; use -p %u", tgid,
			       leader, leader);
	/* Reading "stat" adds up the CPU time of all threads, so it is asked only when in doubt. */
	if (!status_field(status, "VmSize", value, sizeof(value)) && is_kernel_thread(tgid))
		return err_set(err, -EINVAL,
			       "process '%d' is a kernel thread: it has no user-space stacks",
			       tgid);
	/* With VmSize gone and one thread, nothing of the process is left but its exit status. */
	if (status_field(status, "State", value, sizeof(value)) && value[0] == 'Z' &&
	    status_field(status, "Threads", value, sizeof(value)) && !strcmp(value, "1")) {
		if (!status_field(status, "PPid", parent, sizeof(parent)))
			snprintf(parent, sizeof(parent), "?");
		return err_set(err, -EINVAL,
			       "process '%d' is a zombie: it has exited, and its parent %s has not "
			       "waited for it",
			       tgid, parent);
	}
	return 0;
}

int process_check(pid_t tgid, struct err *err)
{
	struct buf status;
	int code = read_proc_file(tgid, "status", &status);

	if (code == -ESRCH)
		err_set(err, code, "no such process '%d'", tgid);
	else if (code)
		err_set_errno(err, code, "cannot read '/proc/%d/status'", tgid);
	else
		code = check_status(tgid, buf_text(&status), err);
	buf_release(&status);
	return code;
}

bool process_has_ended(pid_t tgid)
{
	int code = process_check(tgid, NULL);

	return code == -ESRCH || code == -EINVAL; /* a zombie, or its id is another's */
}

int process_thread_switches(pid_t tgid, pid_t tid, uint64_t *ret_cnt)
{
	static const char *const keys[] = { "voluntary_ctxt_switches",
					    "nonvoluntary_ctxt_switches" };
	struct buf status;
	char path[64], value[32];
	int err;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", tgid, tid);
	buf_init(&status, PROCESS_STATUS_MAX_BYTES);
	err = file_read(path, &status);
	*ret_cnt = 0;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && !err; i++) {
		uint64_t cnt;

		if (!status_field(buf_text(&status), keys[i], value, sizeof(value)) ||
		    parse_u64(value, 0, UINT64_MAX, &cnt))
			err = -EINVAL;
		else
			*ret_cnt += cnt;
	}
	buf_release(&status);
	return err;
}

void process_exe(pid_t tgid, char *path, size_t len)
{
	char link[32];
	ssize_t got;

	snprintf(link, sizeof(link), "/proc/%d/exe", tgid);
	got = readlink(link, path, len - 1);
	path[got > 0 ? got : 0] = '\0';
}

pid_t process_other_thread(pid_t tgid)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	char path[64];
	uint32_t tid;

	snprintf(path, sizeof(path), "/proc/%d/task", tgid);
	dir = opendir(path);
	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		if (!parse_u32(entry->d_name, 1, INT_MAX, &tid) && (pid_t)tid != tgid)
			return (pid_t)tid;
	return 0;
}

void process_comm(pid_t tgid, pid_t tid, char *comm, size_t len)
{
	struct buf text;
	char path[64];

	buf_init(&text, 64);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", tgid, tid);
	comm[0] = '\0';
	if (!file_read(path, &text))
		snprintf(comm, len, "%.*s", (int)strcspn(buf_text(&text), "\n"), buf_text(&text));
	buf_release(&text);
}

/* Cuts off @exe what the kernel says behind the path of a file that is gone. A file may be named
 * so: then it is the one that runs. */
static void cut_deleted(pid_t tgid, char *exe)
{
	static const char mark[] = " (deleted)";
	size_t len = strlen(exe), mark_len = sizeof(mark) - 1;
	struct stat running, named;
	char path[64 + EXE_BYTES];

	if (len < mark_len || strcmp(exe + len - mark_len, mark) != 0)
		return;
	snprintf(path, sizeof(path), "/proc/%d/root%s", tgid, exe);
	if (!lstat(path, &named)) {
		snprintf(path, sizeof(path), "/proc/%d/exe", tgid);
		if (!stat(path, &running) && running.st_dev == named.st_dev &&
		    running.st_ino == named.st_ino)
			return;
	}
	exe[len - mark_len] = '\0';
}

static bool has_name(pid_t tgid, const char *name)
{
	char exe[EXE_BYTES], comm[64], *base;

	process_comm(tgid, tgid, comm, sizeof(comm));
	if (comm[0] && !strcmp(comm, name))
		return true;
	process_exe(tgid, exe, sizeof(exe));
	cut_deleted(tgid, exe);
	base = strrchr(exe, '/');
	return base && !strcmp(base + 1, name);
}

int process_find(const char *name, struct vec *tgids, struct err *err)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc");
	struct dirent *entry;
	uint32_t tgid;

	if (!dir)
		return err_set_errno(err, -errno, "cannot read '/proc'");
	while ((entry = readdir(dir))) {
		pid_t pid;

		if (parse_u32(entry->d_name, 1, INT32_MAX, &tgid))
			continue;
		pid = (pid_t)tgid;
		if (pid == getpid() || (name && !has_name(pid, name)) || process_check(pid, NULL))
			continue;
		if (vec_append(tgids, &pid, 1))
			return err_set(err, -E2BIG, "more than %d processes", PROCESS_MAX);
	}
	return 0;
}

static int compare_tgids(const void *a, const void *b)
{
	const pid_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void process_unique(struct vec *tgids)
{
	pid_t *tgid = tgids->data;
	uint32_t kept = 0;

	if (tgids->len)
		qsort(tgid, tgids->len, sizeof(tgid[0]), compare_tgids);
	for (uint32_t i = 0; i < tgids->len; i++)
		if (!i || tgid[i] != tgid[kept - 1])
			tgid[kept++] = tgid[i];
	tgids->len = kept;
}
