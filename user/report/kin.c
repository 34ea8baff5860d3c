/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "report/kin.h"

#include <errno.h>
#include <stdlib.h>

#include "base/table.h"

/* Writes to @ret_section the section of @process, which is added when it has none yet. */
static int find_section(struct kin *kin, struct table *by_program,
			const struct model_process *process, uint32_t *ret_section)
{
	uint64_t program = (uint64_t)process->comm << 32 | process->exe;
	const struct kin_section section = { 0 };
	bool alone = process->thread_cnt != 1;
	int err;

	if (!alone && table_find(by_program, program, ret_section))
		return 0;
	*ret_section = kin->sections.len;
	err = vec_append(&kin->sections, &section, 1);
	return err || alone ? err : table_put(by_program, program, *ret_section);
}

/* Gives each process of @section_of, by index, its place in its section. */
static void fill_sections(struct kin *kin, const uint32_t *section_of, uint32_t process_cnt)
{
	struct kin_section *section = kin->sections.data;
	uint32_t first = 0;

	for (uint32_t i = 0; i < process_cnt; i++)
		section[section_of[i]].cnt++;
	for (uint32_t i = 0; i < kin->sections.len; i++) {
		section[i].first = first;
		first += section[i].cnt;
		section[i].cnt = 0;
	}
	for (uint32_t i = 0; i < process_cnt; i++) {
		struct kin_section *own = &section[section_of[i]];

		kin->processes[own->first + own->cnt++] = i;
	}
}

int kin_init(struct kin *kin, const struct model *model)
{
	uint32_t process_cnt = model->processes.len, *section_of;
	struct table by_program;
	int err = 0;

	*kin = (struct kin){ 0 };
	vec_init(&kin->sections, sizeof(struct kin_section), process_cnt);
	table_init(&by_program, process_cnt);
	kin->processes = calloc((size_t)process_cnt + 1, sizeof(kin->processes[0]));
	section_of = calloc((size_t)process_cnt + 1, sizeof(section_of[0]));
	if (!kin->processes || !section_of)
		err = -ENOMEM;
	for (uint32_t i = 0; i < process_cnt && !err; i++)
		err = find_section(kin, &by_program, model_process(model, i), &section_of[i]);
	if (!err)
		fill_sections(kin, section_of, process_cnt);
	free(section_of);
	table_release(&by_program);
	return err;
}

const struct kin_section *kin_next(struct kin *kin, const struct report *report,
				   struct filter_counts *ret_counts)
{
	while (kin->next_section < kin->sections.len) {
		const struct kin_section *section = vec_at(&kin->sections, kin->next_section++);

		*ret_counts = filter_count(report->model, report->options,
					   kin_processes(kin, section), section->cnt);
		if (!is_left_out(report, ret_counts))
			return section;
		kin->left_out_cnt += section->cnt;
	}
	return NULL;
}

void kin_release(struct kin *kin)
{
	vec_release(&kin->sections);
	free(kin->processes);
	kin->processes = NULL;
}
