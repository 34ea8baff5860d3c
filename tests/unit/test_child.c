/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* A program that is held back, and what is known of it when it is over. */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/child.h"

static void run_to_end(struct child *child, char *const *argv)
{
	struct err err = { "" };

	assert_int_equal(child_start(child, argv, &err), 0);
	assert_false(child_ended(child));
	assert_int_equal(child_run(child, &err), 0);
	while (!child_ended(child))
		usleep(1000);
	assert_true(child_ended(child)); /* and does not wait for it again */
	child_release(child);
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

static void test_signal(void **state)
{
	char *argv[] = { "sh", "-c", "kill -TERM $$", NULL };
	struct child child;

	(void)state;
	run_to_end(&child, argv);
	assert_true(WIFSIGNALED(child.status));
	assert_int_equal(WTERMSIG(child.status), SIGTERM);
}

static void test_no_program(void **state)
{
	char *argv[] = { "/nonexistent/program", NULL };
	struct err err = { "" };
	struct child child;

	(void)state;
	assert_int_equal(child_start(&child, argv, &err), 0);
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
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_signal),
		cmocka_unit_test(test_no_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
