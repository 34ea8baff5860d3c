/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "collect/arrivals.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "proc/cgroup.h"
#include "proc/process.h"

#define LOOK_NS 1000000000ULL
#define LOOK_SHARE 50 /* no more than one part in so many of the time is spent on it */
#define ARRIVAL_MAX (1u << 20)

void arrivals_init(struct arrivals *arrivals, const struct vec *cgroups, struct recorder *recorder)
{
	*arrivals = (struct arrivals){ .cgroups = cgroups,
				       .recorder = recorder,
				       .next_ns = clock_mono_ns() + LOOK_NS };
	vec_init(&arrivals->tgids, sizeof(pid_t), PROCESS_MAX);
	vec_init(&arrivals->since, sizeof(uint64_t), ARRIVAL_MAX);
	table_init(&arrivals->since_by_tgid, ARRIVAL_MAX);
}

void arrivals_release(struct arrivals *arrivals)
{
	vec_release(&arrivals->tgids);
	vec_release(&arrivals->since);
	table_release(&arrivals->since_by_tgid);
}

static bool is_new(const struct arrivals *arrivals, pid_t tgid)
{
	return tgid != getpid() && !recorder_watches(arrivals->recorder, (uint32_t)tgid) &&
	       !process_check(tgid, NULL);
}

uint32_t arrivals_find(struct arrivals *arrivals)
{
	uint64_t now_ns = clock_mono_ns(), took_ns;
	pid_t *tgid;
	uint32_t kept = 0;

	vec_clear(&arrivals->tgids);
	if (!arrivals->cgroups || now_ns < arrivals->next_ns)
		return 0;
	/* One that is gone may come again. */
	for (uint32_t i = 0; i < arrivals->cgroups->len; i++)
		if (cgroup_read(vec_at(arrivals->cgroups, i), &arrivals->tgids) == -E2BIG)
			arrivals->over_max = true;
	process_unique(&arrivals->tgids);
	tgid = arrivals->tgids.data;
	for (uint32_t i = 0; i < arrivals->tgids.len; i++)
		if (is_new(arrivals, tgid[i]))
			tgid[kept++] = tgid[i];
	arrivals->tgids.len = kept;
	took_ns = clock_mono_ns() - now_ns;
	arrivals->next_ns = now_ns + LOOK_NS + LOOK_SHARE * took_ns;
	return kept;
}

uint64_t arrivals_watch(struct arrivals *arrivals)
{
	uint64_t now_ns = clock_mono_ns();

	for (uint32_t i = 0; i < arrivals->tgids.len; i++) {
		pid_t tgid = *(pid_t *)vec_at(&arrivals->tgids, i);

		recorder_watch(arrivals->recorder, (uint32_t)tgid, true);
		/* Its end is heard of only from now on. */
		if (process_has_ended(tgid))
			recorder_watch(arrivals->recorder, (uint32_t)tgid, false);
		else if (!vec_append(&arrivals->since, &now_ns, 1))
			table_put(&arrivals->since_by_tgid, (uint32_t)tgid,
				  arrivals->since.len - 1);
	}
	return now_ns;
}

uint64_t arrivals_since(const struct arrivals *arrivals, uint32_t tgid)
{
	uint32_t idx;

	if (!table_find(&arrivals->since_by_tgid, tgid, &idx))
		return 0;
	return *(uint64_t *)vec_at(&arrivals->since, idx);
}
