/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What /proc says of processes of every make, and what it means when it says nothing. */
#include "unit.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/child.h"
#include "proc/pidns.h"
#include "proc/process.h"
#include "symbolize/perfmap.h"

#define GROUP_CNT 65536u /* NGROUPS_MAX */

static void end_child(pid_t child)
{
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* Joins as many groups as there may be, of long numbers. Returns 0 or -1. */
static int join_groups(void)
{
	gid_t *groups = calloc(GROUP_CNT, sizeof(groups[0]));
	int err;

	if (!groups)
		return -1;
	for (uint32_t i = 0; i < GROUP_CNT; i++)
		groups[i] = 4000000000u + i;
	err = setgroups(GROUP_CNT, groups);
	free(groups);
	return err;
}

/* Forks a process with all these groups; 0: this user may not. */
static pid_t fork_of_many_groups(void)
{
	int ready[2];
	char byte = 0;
	pid_t child;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		byte = !join_groups();
		if (write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	if (byte)
		return child;
	end_child(child);
	return 0;
}

static void test_many_groups(void **state)
{
	pid_t child = fork_of_many_groups();
	struct err err = { "" };
	struct perfmap map;
	struct table threads;
	uint64_t switch_cnt;
	uint32_t tid;

	(void)state;
	if (!child)
		skip();
	table_init(&threads, 10);
	perfmap_init(&map);
	assert_int_equal(process_check(child, &err), 0);
	assert_false(process_has_ended(child));
	assert_int_equal(process_thread_switches(child, child, &switch_cnt), 0);
	assert_int_equal(pidns_read_threads(child, &threads), 0);
	assert_true(table_find(&threads, (uint32_t)child, &tid));
	assert_int_equal(perfmap_read(&map, child), -ENOENT);
	perfmap_release(&map);
	table_release(&threads);
	end_child(child);
}

static void test_has_ended(void **state)
{
	pid_t child = fork();
	siginfo_t info;

	(void)state;
	assert_true(child >= 0);
	if (!child)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	assert_true(process_has_ended(child));
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_true(process_has_ended(child));
	assert_false(process_has_ended(getpid()));
}

/* That nothing can be read does not mean that nothing is there. */
static void test_unreadable_has_not_ended(void **state)
{
	struct rlimit before, none;
	bool has_ended;
	int code;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	code = process_check(getpid(), NULL);
	has_ended = process_has_ended(getpid());
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(code, -EMFILE);
	assert_false(has_ended);
}

static char dir[64];
static pid_t programs[3];
static int program_cnt;

static int setup_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/loiter-process-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown_dir(void **state)
{
	char command[128];

	(void)state;
	for (int i = 0; i < program_cnt; i++)
		end_child(programs[i]);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

/* Starts a program that waits, from a file of that @name. */
static void start_program(struct child *child, const char *name, char *path, size_t len)
{
	char seconds[] = "1000", command[256];
	char *argv[] = { path, seconds, NULL };
	struct child_origin origin;

	snprintf(path, len, "%s/%s", dir, name);
	snprintf(command, sizeof(command), "cp /bin/sleep '%s'", path);
	assert_int_equal(system(command), 0);
	child_origin_note(&origin);
	assert_int_equal(child_start(child, argv, &origin, NULL), 0);
	assert_int_equal(child_run(child, NULL), 0);
	child_release(child);
	programs[program_cnt++] = child->pid;
}

static bool is_found(const char *name, pid_t wanted)
{
	struct vec tgids;
	bool found = false;

	vec_init(&tgids, sizeof(pid_t), PROCESS_MAX);
	assert_int_equal(process_find(name, &tgids, NULL), 0);
	for (uint32_t i = 0; i < tgids.len; i++)
		found |= *(pid_t *)vec_at(&tgids, i) == wanted;
	vec_release(&tgids);
	return found;
}

/* Names of more than the 15 bytes that the kernel keeps. */
static void test_name_of_deleted(void **state)
{
	static const char name[] = "loiter-unit-long-name",
			  odd[] = "loiter-unit-rather-odd (deleted)";
	char path[128], odd_path[128];
	struct child child, odd_child, other;

	(void)state;
	start_program(&child, name, path, sizeof(path));
	start_program(&odd_child, odd, odd_path, sizeof(odd_path));
	assert_true(is_found(name, child.pid));
	assert_true(is_found(odd, odd_child.pid));
	assert_false(is_found("loiter-unit-rather-odd", odd_child.pid));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(unlink(odd_path), 0);
	assert_true(is_found(name, child.pid));
	assert_true(is_found(odd, odd_child.pid));
	assert_false(is_found("loiter-unit-rather-odd", odd_child.pid));
	start_program(&other, name, path, sizeof(path));
	assert_true(is_found(name, child.pid));
	assert_true(is_found(name, other.pid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_groups),
		cmocka_unit_test(test_has_ended),
		cmocka_unit_test(test_unreadable_has_not_ended),
		cmocka_unit_test_setup_teardown(test_name_of_deleted, setup_dir, teardown_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
