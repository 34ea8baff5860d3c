/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Which processes the text report puts in one section: those of one name and program that have one
 * thread each, such as the workers of a server. A thread's id is then its process's, so that
 * nothing is lost; every other process is a section of its own.
 *
 *   sections --cnt--> processes: indices, by pid
 */
#ifndef REPORT_KIN_H
#define REPORT_KIN_H

#include <stdint.h>

#include "base/vec.h"
#include "model/model.h"

struct kin_section {
	uint32_t first; /* in kin.processes */
	uint32_t cnt;	/* 1 or more */
};

struct kin {
	struct vec sections; /* struct kin_section, by the pid of the first */
	uint32_t *processes;
};

/* Returns 0 or -ENOMEM; released in either case. */
int kin_init(struct kin *kin, const struct model *model);
void kin_release(struct kin *kin);

static inline const struct kin_section *kin_at(const struct kin *kin, uint32_t idx)
{
	return vec_at(&kin->sections, idx);
}

static inline const uint32_t *kin_processes(const struct kin *kin,
					    const struct kin_section *section)
{
	return kin->processes + section->first;
}

#endif
