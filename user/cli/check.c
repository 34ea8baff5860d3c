/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* loiter check: what this kernel and these privileges allow. */
#include <stdio.h>
#include <string.h>

#include "capture/probe.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/say.h"

#define PROBE_MAX 64

static int run_check(const struct options *options)
{
	struct probe_result results[PROBE_MAX];
	size_t cnt = probe_all(results, PROBE_MAX);
	int status = STATUS_DONE;
	bool records = true;

	(void)options;
	for (size_t i = 0; i < cnt; i++) {
		const struct probe_result *result = &results[i];

		printf("%-8s %-27s for %s%s%s\n",
		       result->ok	  ? "ok"
		       : result->required ? "MISSING"
					  : "missing",
		       result->name, result->used_by, result->detail[0] ? ": " : "",
		       result->detail);
		if (result->required && !result->ok)
			status = STATUS_FAILED;
		if (!strcmp(result->name, PROBE_RECORD) || !strcmp(result->name, PROBE_PIDNS))
			records = records && result->ok;
	}
	printf("\n%s\n", status	   ? "loiter cannot work here: see MISSING"
			 : records ? "loiter dump, record and leaks work here"
				   : "loiter dump works here, record and leaks do not: see above");
	return output_flush() ? STATUS_FAILED : status;
}

const struct command command_check = {
	.name = "check",
	.args = NULL,
	.summary = "what this kernel and these privileges allow, and what to do about it",
	.doc = "Tries each feature that loiter uses and says what is missing, what is lost by it, "
	       "and the remedy. Exit status 1 when 'loiter dump' cannot work.",
	.groups = OPTIONS_KERNEL,
	.run = run_check,
};
