/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "proc/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "proc/process.h"

#define STATUS_NOT_RUN 127 /* as of a shell */

void child_origin_note(struct child_origin *ret)
{
	*ret = (struct child_origin){ 0 };
	ret->has_file_limit = !getrlimit(RLIMIT_NOFILE, &ret->file_limit);
	sigaction(SIGPIPE, NULL, &ret->pipe_action);
}

static void give_back(const struct child_origin *origin)
{
	if (origin->has_file_limit)
		setrlimit(RLIMIT_NOFILE, &origin->file_limit);
	sigaction(SIGPIPE, &origin->pipe_action, NULL);
}

/* Waits for the byte that says go, then becomes the program. */
static _Noreturn void run_child(int go_fd, int error_fd, char *const *argv,
				const struct child_origin *origin)
{
	ssize_t got;
	char byte;
	int code;

	do {
		got = read(go_fd, &byte, 1);
	} while (got < 0 && errno == EINTR);
	if (got != 1)
		_exit(STATUS_NOT_RUN); /* loiter gave up */
	give_back(origin);
	execvp(argv[0], argv);
	code = errno;
	while (write(error_fd, &code, sizeof(code)) < 0 && errno == EINTR)
		;
	_exit(STATUS_NOT_RUN);
}

int child_start(struct child *child, char *const *argv, const struct child_origin *origin,
		struct err *err)
{
	const char *slash = strrchr(argv[0], '/');
	int go[2], error[2], code;

	*child = (struct child){ .name = argv[0], .go_fd = -1, .error_fd = -1 };
	snprintf(child->comm, sizeof(child->comm), "%s", slash ? slash + 1 : argv[0]);
	if (pipe2(go, O_CLOEXEC))
		return err_set_errno(err, -errno, "cannot start '%s'", argv[0]);
	if (pipe2(error, O_CLOEXEC)) {
		code = -errno;
		close(go[0]);
		close(go[1]);
		return err_set_errno(err, code, "cannot start '%s'", argv[0]);
	}
	child->pid = fork();
	if (!child->pid) {
		/* Else it would hold its own leash. */
		close(go[1]);
		close(error[0]);
		run_child(go[0], error[1], argv, origin);
	}
	code = -errno;
	close(go[0]);
	close(error[1]);
	child->go_fd = go[1];
	child->error_fd = error[0];
	if (child->pid > 0)
		return 0;
	child_release(child);
	return err_set_errno(err, code, "cannot start '%s'", argv[0]);
}

static int read_error(int fd)
{
	ssize_t got;
	int code;

	do {
		got = read(fd, &code, sizeof(code));
	} while (got < 0 && errno == EINTR);
	return got == sizeof(code) ? -code : 0;
}

int child_run(struct child *child, struct err *err)
{
	const char byte = 1;
	char exe[4096];
	int code = 0;

	if (write(child->go_fd, &byte, 1) != 1)
		code = -errno;
	if (!code)
		code = read_error(child->error_fd);
	if (code)
		return err_set_errno(err, code, "cannot run '%s'", child->name);
	process_exe(child->pid, exe, sizeof(exe));
	child->exe = exe[0] ? strdup(exe) : NULL;
	return 0;
}

bool child_ended(struct child *child)
{
	if (!child->ended && waitpid(child->pid, &child->status, WNOHANG) == child->pid)
		child->ended = true;
	return child->ended;
}

void child_release(struct child *child)
{
	if (child->go_fd >= 0)
		close(child->go_fd);
	if (child->error_fd >= 0)
		close(child->error_fd);
	child->go_fd = child->error_fd = -1;
	free(child->exe);
	child->exe = NULL;
}
