/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What bounds the number of threads, as /proc and the cgroups of made-up machines tell it. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc/limits.h"

#define PATH_LEN 512
#define GROUPS_BYTES (700 << 10) /* of 65,536 ids, each of 10 digits */
#define RLIMITS                                                                                    \
	"Limit                     Soft Limit           Hard Limit           Units     \n"         \
	"Max stack size            8388608              unlimited            bytes     \n"         \
	"Max processes             "

static char root[64];

/* Writes @text to root/@name, below directories that are made. */
static void put(const char *name, const char *text)
{
	char path[PATH_LEN];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void put_user_namespace(const char *name, const char *target)
{
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "%s/%s/ns", root, name);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%s/ns/user", root, name);
	unlink(path);
	assert_int_equal(symlink(target, path), 0);
}

static int setup(void **state)
{
	(void)state;
	snprintf(root, sizeof(root), "/tmp/loiter-limits-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command);
}

/* Writes the limits of process 300 to @ret, in place of those before. */
static void read_limits(struct vec *ret)
{
	struct limits limits;
	char proc[PATH_LEN];

	vec_release(ret);
	vec_init(ret, sizeof(struct thread_limit), LIMITS_MAX);
	snprintf(proc, sizeof(proc), "%s/proc", root);
	limits_init(&limits, proc);
	assert_int_equal(limits_read(&limits, 300, ret), 0);
	limits_release(&limits);
}

static void assert_limit(const struct vec *limits, uint32_t idx, enum thread_limit_of of,
			 uint64_t max, uint64_t used, const char *name)
{
	const struct thread_limit *limit = vec_at(limits, idx);

	assert_true(idx < limits->len);
	assert_int_equal(limit->of, of);
	assert_int_equal(limit->max, max);
	assert_int_equal(limit->used, used);
	assert_string_equal(limit->name, name);
}

static void test_kernel(void **state)
{
	struct vec limits = { 0 };

	(void)state;
	read_limits(&limits);
	assert_int_equal(limits.len, 0);
	put("proc/loadavg", "0.20 0.18 0.12 1/347 11206\n");
	put("proc/sys/kernel/threads-max", "15640\n");
	put("proc/sys/kernel/pid_max", "32768\n");
	read_limits(&limits);
	assert_int_equal(limits.len, 2);
	assert_limit(&limits, 0, THREAD_LIMIT_OF_KERNEL, 15640, 347, "");
	assert_limit(&limits, 1, THREAD_LIMIT_OF_PIDS, 32768, 347, "");
	put("proc/sys/kernel/pid_max", "");
	put("proc/sys/kernel/threads-max", "15640x\n");
	read_limits(&limits);
	assert_int_equal(limits.len, 0);
	put("proc/loadavg", "0.20\n");
	put("proc/sys/kernel/threads-max", "15640\n");
	read_limits(&limits);
	assert_int_equal(limits.len, 0);
	vec_release(&limits);
}

static void test_user(void **state)
{
	static char status[GROUPS_BYTES + 64];
	struct vec limits = { 0 };

	(void)state;
	put("proc/self/status", "Uid:\t0\t0\t0\t0\n");
	put("proc/300/status",
	    "Name:\tserver\nUid:\t1000\t0\t0\t0\nThreads:\t170\nCapEff:\t0000000000000000\n");
	put("proc/300/limits", RLIMITS "4096                 63432                processes \n");
	put("proc/301/status", "Uid:\t1000\t1000\t1000\t1000\nThreads:\t30\n");
	put("proc/302/status", "Uid:\t1001\t1000\t1000\t1000\nThreads:\t7\n");
	put("proc/303/status", "Uid:\t1000\t1000\nThreads:\tmany\n");
	put("proc/version", "Uid:\t1000\nThreads:\t5\n");
	read_limits(&limits);
	assert_int_equal(limits.len, 1);
	assert_limit(&limits, 0, THREAD_LIMIT_OF_USER, 4096, 200, "");

	/* The groups stand before the threads, and may be many. */
	snprintf(status, sizeof(status), "Uid:\t1000\nGroups:\t%0*d\nThreads:\t30\n", GROUPS_BYTES,
		 0);
	put("proc/301/status", status);
	read_limits(&limits);
	assert_int_equal(limits.len, 1);
	assert_limit(&limits, 0, THREAD_LIMIT_OF_USER, 4096, 200, "");

	put("proc/300/limits", RLIMITS "unlimited            unlimited            processes \n");
	read_limits(&limits);
	assert_int_equal(limits.len, 0);
	put("proc/300/limits", RLIMITS "4096                 63432                processes \n");
	/* Root is not bound, nor is who may administer resources, or anything. */
	put("proc/300/status", "Uid:\t0\t1000\nThreads:\t1\nCapEff:\t0000000000000000\n");
	read_limits(&limits);
	assert_int_equal(limits.len, 0);
	put("proc/300/status", "Uid:\t1000\t1000\nThreads:\t1\nCapEff:\t0000000001000000\n");
	read_limits(&limits);
	assert_int_equal(limits.len, 0);
	put("proc/300/status", "Uid:\t1000\t1000\nThreads:\t1\nCapEff:\t0000000000200000\n");
	read_limits(&limits);
	assert_int_equal(limits.len, 0);
	put("proc/300/status", "Uid:\t1000\t1000\nThreads:\t1\nCapEff:\t000000000000ffff\n");
	read_limits(&limits);
	assert_int_equal(limits.len, 1);
	/* What one may within a user namespace of one's own does not count. */
	put("proc/300/status", "Uid:\t1000\t1000\nThreads:\t1\nCapEff:\t000001ffffffffff\n");
	put_user_namespace("proc/self", "user:[4026531837]");
	put_user_namespace("proc/300", "user:[4026531837]");
	read_limits(&limits);
	assert_int_equal(limits.len, 0);
	put_user_namespace("proc/300", "user:[4026532000]");
	read_limits(&limits);
	assert_int_equal(limits.len, 1);
	vec_release(&limits);
}

static void test_cgroups(void **state)
{
	struct vec limits = { 0 };
	char mounts[PATH_LEN * 2];

	(void)state;
	snprintf(mounts, sizeof(mounts), "proc /proc proc rw 0 0\ncgroup2 %s/v2 cgroup2 rw 0 0\n",
		 root);
	put("proc/self/mounts", mounts);
	put("proc/300/cgroup", "0::/system.slice/demo.service/worker\n");
	put("v2/pids.max", "100\n"); /* the root has none: it is not asked */
	put("v2/pids.current", "50\n");
	put("v2/system.slice/pids.max", "max\n");
	put("v2/system.slice/pids.current", "200\n");
	put("v2/system.slice/demo.service/pids.max", "9480\n");
	put("v2/system.slice/demo.service/pids.current", "172\n");
	put("v2/system.slice/demo.service/worker/pids.max", "8000\n");
	put("v2/system.slice/demo.service/worker/pids.current", "170\n");
	read_limits(&limits);
	assert_int_equal(limits.len, 2);
	assert_limit(&limits, 0, THREAD_LIMIT_OF_CGROUP, 8000, 170,
		     "system.slice/demo.service/worker");
	assert_limit(&limits, 1, THREAD_LIMIT_OF_CGROUP, 9480, 172, "system.slice/demo.service");

	/* In the root, in a namespace that is not ours, and nonsense. */
	for (size_t i = 0; i < 5; i++) {
		static const char *const texts[] = { "0::/\n", "0::/../elsewhere\n", "0::\n", "",
						     "nonsense\n0:\n:\n" };

		put("proc/300/cgroup", texts[i]);
		read_limits(&limits);
		assert_int_equal(limits.len, 0);
	}
	/* In version 1 it is the hierarchy of the pids controller, whichever is named first. */
	snprintf(mounts, sizeof(mounts),
		 "cgroup2 %s/v2 cgroup2 rw 0 0\ncgroup %s/cpu cgroup rw,cpu,cpuacct 0 0\n"
		 "cgroup %s/v1 cgroup rw,nosuid,pids 0 0\n",
		 root, root, root);
	put("proc/self/mounts", mounts);
	put("proc/300/cgroup", "12:cpu,cpuacct:/cpus\n4:pids:/docker/4711\n"
			       "0::/system.slice/demo.service\n");
	put("v1/docker/4711/pids.max", "512");
	put("v1/docker/4711/pids.current", "12");
	read_limits(&limits);
	assert_int_equal(limits.len, 1);
	assert_limit(&limits, 0, THREAD_LIMIT_OF_CGROUP, 512, 12, "docker/4711");
	put("proc/300/cgroup", "4:mypids,rapids:/docker/4711\n");
	read_limits(&limits);
	assert_int_equal(limits.len, 0);
	vec_release(&limits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kernel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_user, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cgroups, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
