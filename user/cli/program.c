/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "cli/program.h"

#include <string.h>
#include <sys/wait.h>

#include "cli/say.h"

int program_start(struct program *program, const struct options *options, struct err *err)
{
	int code;

	vec_init(&program->tgids, sizeof(pid_t), 1);
	code = child_start(&program->child, options->program, &options->origin, err);
	if (code)
		return code;
	code = vec_append(&program->tgids, &program->child.pid, 1);
	return code ? err_set_errno(err, code, "cannot watch '%s'", program->child.name) : 0;
}

void program_release(struct program *program)
{
	child_release(&program->child);
	vec_release(&program->tgids);
}

void program_say(struct program *program, const struct options *options)
{
	struct child *child = &program->child;

	if (options->quiet)
		return;
	if (!child_ended(child))
		say_error("'%s' (pid %d) goes on", child->name, child->pid);
	else if (WIFSIGNALED(child->status))
		say_error("'%s' was ended by signal %d (%s)", child->name, WTERMSIG(child->status),
			  strsignal(WTERMSIG(child->status)));
	else if (WEXITSTATUS(child->status))
		say_error("'%s' ended with status %d", child->name, WEXITSTATUS(child->status));
}
