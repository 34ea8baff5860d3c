/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* A program that is held back, and what is known of it when it is over. */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/child.h"

static void run_to_end_as(struct child *child, char *const *argv, const struct child_origin *origin)
{
	struct err err = { "" };

	assert_int_equal(child_start(child, argv, origin, &err), 0);
	assert_false(child_ended(child));
	assert_int_equal(child_run(child, &err), 0);
	while (!child_ended(child))
		usleep(1000);
	assert_true(child_ended(child)); /* and does not wait for it again */
	child_release(child);
}

static void run_to_end(struct child *child, char *const *argv)
{
	struct child_origin origin;

	child_origin_note(&origin);
	run_to_end_as(child, argv, &origin);
}

static void test_status(void **state)
{
	char *argv[] = { "sh", "-c", "exit 3", NULL };
	struct child child;

	(void)state;
	run_to_end(&child, argv);
	assert_true(WIFEXITED(child.status));
	assert_int_equal(WEXITSTATUS(child.status), 3);
	assert_int_equal(waitpid(child.pid, NULL, WNOHANG), -1); /* it is gone */
}

/* As the kernel names a program: by the end of its path, cut. */
static void test_name(void **state)
{
	char *argv[] = { "/usr/bin/env", "-i", "sleep", "100", NULL };
	char *long_argv[] = { "dir/a_name_of_20_letters", NULL };
	struct err err = { "" };
	struct child_origin origin;
	struct child child;

	(void)state;
	child_origin_note(&origin);
	assert_int_equal(child_start(&child, argv, &origin, &err), 0);
	assert_string_equal(child.comm, "env");
	assert_null(child.exe);
	assert_int_equal(child_run(&child, &err), 0);
	assert_non_null(child.exe);
	kill(child.pid, SIGKILL);
	while (!child_ended(&child))
		usleep(1000);
	child_release(&child);
	assert_int_equal(child_start(&child, long_argv, &origin, &err), 0);
	assert_string_equal(child.comm, "a_name_of_20_le");
	child_release(&child);
	while (!child_ended(&child))
		usleep(1000);
}

static void test_signal(void **state)
{
	char *argv[] = { "sh", "-c", "kill -TERM $$", NULL };
	struct child child;

	(void)state;
	run_to_end(&child, argv);
	assert_true(WIFSIGNALED(child.status));
	assert_int_equal(WTERMSIG(child.status), SIGTERM);
}

static void set_file_limit(rlim_t soft)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = soft;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Whatever loiter does to itself between its start and the program's. */
static void test_origin(void **state)
{
	char *ignored[] = {
		"sh", "-c",
		"[ $(ulimit -S -n) = 66 ] && grep -q '^SigIgn:.*1...$' /proc/self/status", NULL
	};
	char *plain[] = { "sh", "-c", "[ $(ulimit -S -n) = 77 ] && kill -PIPE $$", NULL };
	struct child_origin origin;
	struct rlimit before;
	struct child child;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	signal(SIGPIPE, SIG_IGN);
	set_file_limit(66);
	child_origin_note(&origin);
	signal(SIGPIPE, SIG_DFL);
	set_file_limit(99);
	run_to_end_as(&child, ignored, &origin);
	assert_true(WIFEXITED(child.status));
	assert_int_equal(WEXITSTATUS(child.status), 0);

	set_file_limit(77);
	child_origin_note(&origin);
	signal(SIGPIPE, SIG_IGN);
	set_file_limit(99);
	run_to_end_as(&child, plain, &origin);
	signal(SIGPIPE, SIG_DFL);
	assert_true(WIFSIGNALED(child.status));
	assert_int_equal(WTERMSIG(child.status), SIGPIPE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void test_no_program(void **state)
{
	char *argv[] = { "/nonexistent/program", NULL };
	struct child_origin origin;
	struct err err = { "" };
	struct child child;

	(void)state;
	child_origin_note(&origin);
	assert_int_equal(child_start(&child, argv, &origin, &err), 0);
	assert_int_equal(child_run(&child, &err), -ENOENT);
	assert_string_equal(err.msg,
			    "cannot run '/nonexistent/program': No such file or directory");
	while (!child_ended(&child))
		usleep(1000);
	child_release(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),	   cmocka_unit_test(test_name),
		cmocka_unit_test(test_signal),	   cmocka_unit_test(test_origin),
		cmocka_unit_test(test_no_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
