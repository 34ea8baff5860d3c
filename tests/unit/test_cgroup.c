/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Cgroups: where they are, and which processes are in them, on directories made here. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "proc/cgroup.h"
#include "proc/process.h"

#define PATH_LEN 512

static char root[64];

/* Returns root/@name/@file; valid until the next call but one. */
static const char *path_of(const char *name, const char *file)
{
	static char paths[2][PATH_LEN];
	static int turn;

	turn = !turn;
	snprintf(paths[turn], PATH_LEN, "%s/%s/%s", root, name, file);
	return paths[turn];
}

static void make_cgroup(const char *name, const char *procs)
{
	FILE *file;

	assert_int_equal(mkdir(path_of(name, ""), 0700), 0);
	if (!procs)
		return;
	file = fopen(path_of(name, "cgroup.procs"), "we");
	assert_non_null(file);
	fputs(procs, file);
	assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
	(void)state;
	snprintf(root, sizeof(root), "/tmp/loiter-cgroup-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command);
}

static int read_cgroup(const char *name, struct vec *tgids)
{
	struct cgroup cgroup;

	snprintf(cgroup.path, sizeof(cgroup.path), "%s/%s", root, name);
	vec_init(tgids, sizeof(pid_t), 64);
	return cgroup_read(&cgroup, tgids);
}

static void assert_tgids(struct vec *tgids, const pid_t *want, uint32_t cnt)
{
	process_unique(tgids);
	assert_int_equal(tgids->len, cnt);
	for (uint32_t i = 0; i < cnt; i++)
		assert_int_equal(*(pid_t *)vec_at(tgids, i), want[i]);
}

static void test_procs(void **state)
{
	static const char text[] = "12\n0\n7\nabc\n-3\n\n 5\n99999999999999999999\n4294967295\n"
				   "2147483647\n12 13\n12\n3";
	static const pid_t want[] = { 3, 7, 12, 2147483647 };
	struct vec tgids;

	(void)state;
	vec_init(&tgids, sizeof(pid_t), 64);
	assert_int_equal(cgroup_parse_procs("", &tgids), 0);
	assert_int_equal(cgroup_parse_procs("\n\n", &tgids), 0);
	assert_int_equal(tgids.len, 0);
	assert_int_equal(cgroup_parse_procs(text, &tgids), 0);
	assert_int_equal(tgids.len, 5);
	assert_tgids(&tgids, want, 4);
	vec_release(&tgids);
	vec_init(&tgids, sizeof(pid_t), 2);
	assert_int_equal(cgroup_parse_procs("1\n2\n3\n", &tgids), -E2BIG);
	assert_int_equal(tgids.len, 2);
	vec_release(&tgids);
}

static void test_tree(void **state)
{
	static const pid_t all[] = { 1, 2, 3, 4, 5 }, below[] = { 3, 4, 5 };
	struct vec tgids;

	(void)state;
	make_cgroup("top", "1\n2\n");
	make_cgroup("top/a", "3\n");
	make_cgroup("top/a/b", "4\n5\n2\n");
	make_cgroup("top/a/b/empty", "");
	make_cgroup("beside", "6\n");
	/* What is no cgroup below, and a way out of the tree. */
	make_cgroup("top/nothing", NULL);
	assert_int_equal(symlink("../beside", path_of("top", "link")), 0);
	assert_int_equal(symlink("..", path_of("top", "up")), 0);
	assert_int_equal(read_cgroup("top", &tgids), 0);
	assert_tgids(&tgids, all, 5);
	vec_release(&tgids);
	assert_int_equal(unlink(path_of("top/a/b", "cgroup.procs")), 0);
	make_cgroup("top/a/b/c", "4\n5\n");
	assert_int_equal(read_cgroup("top/a", &tgids), 0);
	assert_tgids(&tgids, below, 3);
	vec_release(&tgids);
}

static void test_no_cgroup(void **state)
{
	struct vec tgids;

	(void)state;
	assert_int_equal(read_cgroup("none", &tgids), -ENOENT);
	make_cgroup("bare", NULL);
	assert_int_equal(read_cgroup("bare", &tgids), -ENOENT);
	assert_int_equal(symlink("/dev/zero", path_of("bare", "cgroup.procs")), 0);
	assert_int_equal(read_cgroup("bare", &tgids), -ELOOP);
	vec_release(&tgids);
}

/* Whoever may make cgroups may make many, and deep ones. */
static void test_bounds(void **state)
{
	char path[PATH_LEN] = "deep";
	size_t len = strlen(path);
	struct vec tgids;

	(void)state;
	for (int depth = 0; depth < CGROUP_DEPTH_MAX; depth++) {
		make_cgroup(path, "1\n");
		len += (size_t)snprintf(path + len, sizeof(path) - len, "/d");
	}
	assert_int_equal(read_cgroup("deep", &tgids), 0);
	assert_int_equal(tgids.len, CGROUP_DEPTH_MAX);
	vec_release(&tgids);
	make_cgroup(path, "1\n");
	snprintf(path + len, sizeof(path) - len, "/d");
	make_cgroup(path, "1\n");
	vec_init(&tgids, sizeof(pid_t), 64);
	assert_int_equal(read_cgroup("deep", &tgids), -E2BIG);
	vec_release(&tgids);
}

static int find_below(const char *mounts, const char *name, struct cgroup *ret)
{
	FILE *file = fmemopen((char *)mounts, strlen(mounts), "r");
	int err;

	assert_non_null(file);
	err = cgroup_find_below(file, name, ret);
	fclose(file);
	return err;
}

static void test_where(void **state)
{
	char mounts[PATH_LEN * 2], want[PATH_LEN];
	struct cgroup found;

	(void)state;
	make_cgroup("two words", "");
	make_cgroup("two words/system.slice", "");
	make_cgroup("old", "");
	make_cgroup("old/system.slice", "");
	make_cgroup("old/docker", "");
	snprintf(mounts, sizeof(mounts),
		 "proc /proc proc rw 0 0\nnonsense\n"
		 "tmpfs %s/beside tmpfs rw 0 0\n"
		 "cgroup %s/old cgroup rw,name=systemd 0 0\n"
		 "cgroup2 %s/two\\040words cgroup2 rw 0 0\n",
		 root, root, root);
	/* Version 2 first, then whoever has it. */
	snprintf(want, sizeof(want), "%s/two words/system.slice", root);
	assert_int_equal(find_below(mounts, "system.slice", &found), 0);
	assert_string_equal(found.path, want);
	assert_int_equal(find_below(mounts, "/system.slice", &found), 0);
	assert_string_equal(found.path, want);
	snprintf(want, sizeof(want), "%s/old/docker", root);
	assert_int_equal(find_below(mounts, "docker", &found), 0);
	assert_string_equal(found.path, want);
	snprintf(want, sizeof(want), "%s/two words/", root);
	assert_int_equal(find_below(mounts, "/", &found), 0);
	assert_string_equal(found.path, want);

	assert_int_equal(find_below(mounts, "none", &found), -ENOENT);
	assert_int_equal(find_below(mounts, "docker/cgroup.procs", &found), -ENOENT);
	assert_int_equal(find_below(mounts, "../beside", &found), -ENOENT);
	assert_int_equal(find_below(mounts, "docker/..", &found), -ENOENT);
	assert_int_equal(find_below(mounts, "docker/../../beside", &found), -ENOENT);
	assert_int_equal(find_below("proc /proc proc rw 0 0\n", "docker", &found), -ENOENT);
}

/* Names that only look as if they went up. */
static void test_dots(void **state)
{
	char mounts[PATH_LEN];
	struct cgroup found;

	(void)state;
	make_cgroup("dots", "");
	make_cgroup("dots/a..b", "");
	make_cgroup("dots/...", "");
	snprintf(mounts, sizeof(mounts), "cgroup2 %s/dots cgroup2 rw 0 0\n", root);
	assert_int_equal(find_below(mounts, "a..b", &found), 0);
	assert_int_equal(find_below(mounts, "...", &found), 0);
	assert_int_equal(find_below(mounts, "..", &found), -ENOENT);
}

static void test_errors(void **state)
{
	char *long_name = malloc(CGROUP_PATH_BYTES + 10);
	struct cgroup found;
	struct err err;

	(void)state;
	assert_non_null(long_name);
	memset(long_name, 'x', CGROUP_PATH_BYTES + 9);
	long_name[CGROUP_PATH_BYTES + 9] = '\0';
	assert_int_equal(cgroup_find(root, &found, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "is a directory, but no cgroup"));
	assert_int_equal(cgroup_find("no/such.service", &found, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "no cgroup 'no/such.service': "));
	assert_int_equal(cgroup_find(long_name, &found, &err), -ENOENT);
	long_name[0] = '/';
	assert_int_equal(cgroup_find(long_name, &found, &err), -ENOENT);
	free(long_name);
}

static void test_unique(void **state)
{
	static const pid_t mixed[] = { 5, 1, 5, 3, 1, 1 }, want[] = { 1, 3, 5 };
	struct vec tgids;

	(void)state;
	vec_init(&tgids, sizeof(pid_t), 64);
	assert_tgids(&tgids, want, 0);
	assert_int_equal(vec_append(&tgids, mixed, 6), 0);
	assert_tgids(&tgids, want, 3);
	vec_release(&tgids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_procs),	  cmocka_unit_test(test_tree),
		cmocka_unit_test(test_no_cgroup), cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_where),	  cmocka_unit_test(test_dots),
		cmocka_unit_test(test_errors),	  cmocka_unit_test(test_unique),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
