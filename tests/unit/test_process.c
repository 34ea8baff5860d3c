/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What /proc says of processes of every make, and what it means when it says nothing. */
#include "unit.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_groups),
		cmocka_unit_test(test_has_ended),
		cmocka_unit_test(test_unreadable_has_not_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
