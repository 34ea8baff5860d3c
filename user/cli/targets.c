/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "cli/targets.h"

#include <linux/capability.h>
#include <sys/types.h>

#include "base/caps.h"
#include "proc/process.h"

/* What loading and attaching programs takes, then what reading another process's memory and files
 * takes, and writing the report where root may. */
static const unsigned int observing_caps[] = {
	CAP_BPF,	  CAP_PERFMON, CAP_SYS_RESOURCE,      CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH,
	CAP_DAC_OVERRIDE, CAP_SYSLOG,  CAP_CHECKPOINT_RESTORE
};
#define OBSERVING_ONLY_CNT 3
#define CAP_CNT (sizeof(observing_caps) / sizeof(observing_caps[0]))

int targets_find(const struct options *options, struct vec *tgids, struct err *err)
{
	int code;

	vec_init(tgids, sizeof(pid_t), PROCESS_MAX);
	for (uint32_t i = 0; i < options->tgids.len; i++) {
		pid_t tgid = *(pid_t *)vec_at(&options->tgids, i);

		code = process_check(tgid, err);
		if (code)
			return code;
		code = vec_append(tgids, &tgid, 1);
		if (code)
			return err_set_errno(err, code, "cannot look at process '%d' too", tgid);
	}
	for (uint32_t i = 0; i < options->names.len; i++) {
		const char *name = *(const char **)vec_at(&options->names, i);
		uint32_t before = tgids->len;

		code = process_find(name, tgids, err);
		if (code)
			return code;
		if (tgids->len == before)
			return err_set(err, -1, "no process is named '%s'", name);
	}
	return 0;
}

int targets_drop_power(bool observing, struct err *err)
{
	size_t first = observing ? 0 : OBSERVING_ONLY_CNT;
	int code = caps_keep_only(observing_caps + first, CAP_CNT - first);

	return code ? err_set_errno(err, code, "cannot give up capabilities") : 0;
}
