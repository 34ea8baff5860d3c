/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "cli/targets.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/caps.h"
#include "proc/cgroup.h"
#include "proc/process.h"

/* What reading another process's memory and files takes, and writing the report where root may;
 * and what goes on looking with programs that are loaded. */
static const unsigned int reading_caps[] = { CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE,
					     CAP_SYSLOG, CAP_CHECKPOINT_RESTORE };
static const unsigned int observing_caps[] = { CAP_BPF, CAP_PERFMON, CAP_SYS_RESOURCE };
#define READING_CNT (sizeof(reading_caps) / sizeof(reading_caps[0]))
#define OBSERVING_CNT (sizeof(observing_caps) / sizeof(observing_caps[0]))

static int add_pids(const struct options *options, struct vec *tgids, struct err *err)
{
	for (uint32_t i = 0; i < options->tgids.len; i++) {
		pid_t tgid = *(pid_t *)vec_at(&options->tgids, i);
		int code = process_check(tgid, err);

		if (code)
			return code;
		code = vec_append(tgids, &tgid, 1);
		if (code)
			return err_set_errno(err, code, "cannot look at process '%d' too", tgid);
	}
	return 0;
}

static int add_names(const struct options *options, struct vec *tgids, struct err *err)
{
	for (uint32_t i = 0; i < options->names.len; i++) {
		const char *name = *(const char **)vec_at(&options->names, i);
		uint32_t before = tgids->len;
		int code = process_find(name, tgids, err);

		if (code)
			return code;
		if (tgids->len == before)
			return err_set(err, -1, "no process is named '%s'", name);
	}
	return 0;
}

/* Keeps those of @tgids from @first on that have a user side to look at, and are not loiter. */
static void keep_lookable(struct vec *tgids, uint32_t first)
{
	uint32_t kept = first;

	for (uint32_t i = first; i < tgids->len; i++) {
		pid_t tgid = *(pid_t *)vec_at(tgids, i);

		if (tgid != getpid() && !process_check(tgid, NULL))
			*(pid_t *)vec_at(tgids, kept++) = tgid;
	}
	tgids->len = kept;
}

static int add_cgroup(const char *name, struct targets *targets, struct err *err)
{
	struct cgroup *cgroup = vec_push(&targets->cgroups);
	uint32_t before = targets->tgids.len;
	int code;

	if (!cgroup)
		return err_set_errno(err, -errno, "cannot look at cgroup '%s' too", name);
	code = cgroup_find(name, cgroup, err);
	if (code)
		return code;
	code = cgroup_read(cgroup, &targets->tgids);
	if (code == -EOPNOTSUPP)
		return err_set(err, code,
			       "cgroup '%s' is a threaded one: name the one that its processes "
			       "are in, further up",
			       name);
	if (code == -E2BIG)
		return err_set(err, code, "cgroup '%s' has more than %d processes, or %d cgroups",
			       name, PROCESS_MAX, CGROUP_MAX);
	if (code)
		return err_set_errno(err, code, "cannot read the processes of cgroup '%s'", name);
	keep_lookable(&targets->tgids, before);
	if (targets->tgids.len == before)
		return err_set(err, -ESRCH, "cgroup '%s' has no process to look at: start it first",
			       name);
	return 0;
}

int targets_find(const struct options *options, struct targets *targets, struct err *err)
{
	int code;

	vec_init(&targets->tgids, sizeof(pid_t), PROCESS_MAX);
	vec_init(&targets->cgroups, sizeof(struct cgroup), options->cgroups.len);
	code = add_pids(options, &targets->tgids, err);
	if (!code)
		code = add_names(options, &targets->tgids, err);
	for (uint32_t i = 0; i < options->cgroups.len && !code; i++)
		code = add_cgroup(*(const char **)vec_at(&options->cgroups, i), targets, err);
	process_unique(&targets->tgids);
	return code;
}

void targets_release(struct targets *targets)
{
	vec_release(&targets->tgids);
	vec_release(&targets->cgroups);
}

int targets_drop_power(bool observing, struct err *err)
{
	unsigned int keep[READING_CNT + OBSERVING_CNT];
	size_t cnt = READING_CNT;
	int code;

	memcpy(keep, reading_caps, sizeof(reading_caps));
	if (observing) {
		memcpy(keep + cnt, observing_caps, sizeof(observing_caps));
		cnt += OBSERVING_CNT;
	}
	code = caps_keep_only(keep, cnt);
	return code ? err_set_errno(err, code, "cannot give up capabilities") : 0;
}
