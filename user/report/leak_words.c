/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "report/leak_words.h"

#include <inttypes.h>

#include "report/words.h"

#define LEFT_MAX_S 3e9 /* beyond a century nobody waits */

void leak_put_rate(struct buf *buf, double per_min)
{
	buf_printf(buf, per_min > -9.95 && per_min < 9.95 ? "%.1f" : "%.0f", per_min);
}

static void put_flow(struct buf *buf, const struct leak_group *group)
{
	const struct leak_flow *flow = &group->flow;

	buf_printf(buf, "%" PRIu64 " at the start, %" PRIu64 " born, %" PRIu64 " ended",
		   flow->alive_start, flow->born, flow->ended);
	if (group->older_cnt && !group->is_older)
		buf_puts(buf, "; those at the start are older than loiter, and began in the same "
			      "function");
}

static void put_growth(struct buf *buf, const struct leak_judgement *judgement)
{
	if (judgement->moves_on) {
		buf_puts(buf, "; they move on: all of this creator together do not grow");
		return;
	}
	if (judgement->verdict != LEAK_LEAK && judgement->verdict != LEAK_GROWING)
		return;
	if (judgement->is_steady) {
		buf_puts(buf, "; grows by ");
		leak_put_rate(buf, judgement->growth_per_min);
		buf_printf(buf, " a minute (fit %.2f)", judgement->fit);
	} else if (judgement->verdict == LEAK_GROWING) {
		buf_printf(buf, "; grows, but along no line (fit %.2f)", judgement->fit);
	}
}

/* Whether it is known by the ways of its threads alone that they do not only wait. */
static bool is_pool_by_moves(const struct leak_group *group)
{
	return group->judgement.verdict == LEAK_POOL && !group->ran && group->moved;
}

/* Appends "1 of the 20 seen twice ran in between". */
static void put_runs(struct buf *buf, const struct leak_group *group)
{
	if (!group->flow.alive_end)
		return;
	if (!group->watched) {
		buf_printf(buf, "; none was seen twice%s",
			   is_pool_by_moves(group) ? " at its place" : "");
		return;
	}
	if (group->watched == 1)
		buf_printf(buf, "; the one seen twice %s in between",
			   group->ran ? "ran" : "did not run");
	else if (!group->ran)
		buf_printf(buf, "; none of the %" PRIu64 " seen twice ran in between",
			   group->watched);
	else
		buf_printf(buf, "; %" PRIu64 " of the %" PRIu64 " seen twice ran in between",
			   group->ran, group->watched);
	if (group->timed && group->timed == group->ran)
		buf_printf(buf, ", as often as a timeout of %s wakes %s",
			   duration_words(group->timeout_ns).text, group->ran == 1 ? "it" : "them");
}

void leak_put_evidence(struct buf *buf, const struct leak_group *group)
{
	put_flow(buf, group);
	if (!group->left)
		put_growth(buf, &group->judgement);
	put_runs(buf, group);
	if (is_pool_by_moves(group))
		buf_printf(buf, "; %" PRIu64 " came from another place between two looks",
			   group->moved);
	if (group->left)
		buf_printf(buf, "; %" PRIu64 " had not ended when the process did", group->left);
	if (group->is_beside_leak)
		buf_puts(buf, "; of several creators, one of whom leaks");
}

/* -- limits -- */

struct leak_reach leak_reach(const struct leak_groups *groups, uint32_t process)
{
	struct leak_reach reach = { .left_s = LEFT_MAX_S };

	if (!groups->process.grows)
		return reach;
	for (uint32_t i = 0; i < groups->model->limits.len; i++) {
		const struct model_limit *limit = vec_at(&groups->model->limits, i);
		uint64_t room = limit->max > limit->used ? limit->max - limit->used : 0;
		double left_s = (double)room / groups->process.growth_per_min * 60;

		if (limit->process != process || left_s >= reach.left_s)
			continue;
		reach.limit = limit;
		reach.left_s = left_s;
	}
	return reach;
}

const char *leak_limit_name(enum limit_kind kind)
{
	switch (kind) {
	case LIMIT_NPROC:
		return "RLIMIT_NPROC";
	case LIMIT_PIDS_MAX:
		return "pids.max";
	case LIMIT_THREADS:
		return "threads-max";
	case LIMIT_PID_MAX:
		return "pid_max";
	}
	return "unknown";
}

void leak_put_limit(struct buf *buf, const struct model *model, const struct model_limit *limit)
{
	buf_printf(buf, "%" PRIu64 " (%s", limit->max,
		   leak_limit_name((enum limit_kind)limit->kind));
	if (limit->kind == LIMIT_NPROC)
		buf_puts(buf, " of its user");
	if (limit->name) {
		buf_puts(buf, " of ");
		clean_append(buf, model_str(model, limit->name));
	}
	buf_puts(buf, ")");
}
