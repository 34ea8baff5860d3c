/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "report/filter.h"

static bool is_idle(const struct report_options *options, const struct model_thread *thread)
{
	return options->no_idle && wait_is_idle(thread->wait);
}

static bool is_recent(const struct report_options *options, const struct model_thread *thread)
{
	return thread->age_ns < options->min_block_ns;
}

bool filter_shows(const struct report_options *options, const struct model_thread *thread)
{
	return !is_idle(options, thread) && !is_recent(options, thread);
}

static void count_process(const struct model *model, const struct report_options *options,
			  const struct model_process *process, struct filter_counts *counts)
{
	for (uint32_t i = 0; i < process->thread_cnt; i++) {
		const struct model_thread *thread = model_thread(model, process->first_thread + i);

		if (is_idle(options, thread))
			counts->idle++;
		else if (is_recent(options, thread))
			counts->recent++;
		else
			counts->shown++;
	}
}

struct filter_counts filter_count(const struct model *model, const struct report_options *options,
				  const uint32_t *processes, uint32_t process_cnt)
{
	struct filter_counts counts = { 0 };

	for (uint32_t i = 0; i < process_cnt; i++)
		count_process(model, options, model_process(model, processes[i]), &counts);
	return counts;
}
