/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "model/leaks.h"

#define NS_PER_MIN 60e9

/* When the count of point @i was taken, in minutes from the window's start. */
static double point_min(const struct leak_history *history, uint32_t i)
{
	double ns = (double)i * (double)history->point_ns;
	double end_ns = (double)history->window_ns;

	return (ns < end_ns ? ns : end_ns) / NS_PER_MIN;
}

void leak_fit(const struct leak_history *history, double *ret_per_min, double *ret_fit)
{
	uint32_t cnt = history->point_cnt;
	double mean_min = 0, mean_alive = 0, var_min = 0, var_alive = 0, both = 0;

	*ret_per_min = *ret_fit = 0;
	if (cnt < 2 || !history->window_ns)
		return;
	for (uint32_t i = 0; i < cnt; i++) {
		mean_min += point_min(history, i) / cnt;
		mean_alive += (double)history->alive[i] / cnt;
	}
	for (uint32_t i = 0; i < cnt; i++) {
		double min = point_min(history, i) - mean_min;
		double alive = (double)history->alive[i] - mean_alive;

		var_min += min * min;
		var_alive += alive * alive;
		both += min * alive;
	}
	if (var_min <= 0 || var_alive <= 0)
		return;
	*ret_per_min = both / var_min;
	*ret_fit = both * both / (var_min * var_alive);
}

static int64_t net_of(const struct leak_flow *flow)
{
	return (int64_t)(flow->alive_end - flow->alive_start);
}

/* Returns how many were replaced: born as others ended. */
static uint64_t turnover_of(const struct leak_flow *flow)
{
	return flow->born < flow->ended ? flow->born : flow->ended;
}

/* Whether the number has come to rest: its highs do not come as they did. */
static bool has_stopped(const struct leak_history *history)
{
	uint32_t highest = history->point_cnt ? history->alive[0] : 0, rise_cnt = 0, last = 0;
	double quiet_min, busy_min;

	for (uint32_t i = 1; i < history->point_cnt; i++) {
		if (history->alive[i] <= highest)
			continue;
		highest = history->alive[i];
		last = i;
		rise_cnt++;
	}
	if (!rise_cnt)
		return true;
	busy_min = point_min(history, last);
	quiet_min = (double)history->window_ns / NS_PER_MIN - busy_min;
	if (quiet_min * LEAK_QUIET_PARTS >= busy_min + quiet_min)
		return true;
	return rise_cnt * quiet_min >= LEAK_OVERDUE_MIN * busy_min;
}

/* Returns how many there were on average. */
static double mean_of(const struct leak_history *history)
{
	double sum = 0;

	for (uint32_t i = 0; i < history->point_cnt; i++)
		sum += history->alive[i];
	return history->point_cnt ? sum / history->point_cnt : 0;
}

/* Returns the square of the standard deviation of what the number does by chance, where threads are
 * born and end one by one: that of what was born and ended, or of two counts if that is less. Where
 * none ends there is no chance in it. */
static double variance_of(const struct leak_history *history)
{
	const struct leak_flow *flow = &history->flow;
	double moved = (double)flow->born + (double)flow->ended;
	double counts = (double)flow->alive_start + (double)flow->alive_end;

	if (!flow->ended)
		return 0;
	if (counts < 2 * mean_of(history))
		counts = 2 * mean_of(history);
	return moved < counts ? moved : counts;
}

/* Whether there are more at the end than chance explains, and still more to come. */
static bool grows(const struct leak_history *history)
{
	double net = (double)net_of(&history->flow);

	return net >= LEAK_GROWTH_MIN &&
	       net * net >= LEAK_DEVIATIONS * LEAK_DEVIATIONS * variance_of(history) &&
	       !has_stopped(history);
}

/* Whether the threads of the same origin do not become more as these do. */
static bool moves_on(const struct leak_history *history)
{
	int64_t net = net_of(&history->flow);

	return 2 * (net + net_of(&history->others)) < net;
}

/* Whether more threads were replaced than have become more. */
static bool turns_over(const struct leak_history *history)
{
	return (int64_t)turnover_of(&history->flow) >= net_of(&history->flow);
}

static bool is_stuck(const struct leak_history *history)
{
	uint64_t worked = history->ran - history->timed;

	return history->watched && worked * LEAK_STRAY_PARTS <= history->watched;
}

/* Of a group that does not grow. */
static enum leak_verdict judge_level(const struct leak_history *history, bool with_others)
{
	struct leak_flow flow = history->flow;
	uint64_t turnover, most;

	if (with_others) {
		flow.alive_start += history->others.alive_start;
		flow.born += history->others.born;
		flow.ended += history->others.ended;
		flow.alive_end += history->others.alive_end;
	}
	turnover = turnover_of(&flow);
	most = flow.alive_start > flow.alive_end ? flow.alive_start : flow.alive_end;
	if (turnover && 2 * turnover >= flow.ended && LEAK_TURNOVER_PARTS * turnover >= most)
		return LEAK_CHURN;
	if (flow.ended > flow.born && (!flow.alive_end || -net_of(&flow) >= LEAK_GROWTH_MIN))
		return LEAK_SHRINKING;
	return history->ran || history->moved ? LEAK_POOL : LEAK_IDLE;
}

struct leak_judgement leak_judge(const struct leak_history *history)
{
	struct leak_judgement ret = { 0 };
	bool growth = grows(history);

	leak_fit(history, &ret.growth_per_min, &ret.fit);
	ret.is_steady = growth && ret.fit >= LEAK_FIT_MIN && ret.growth_per_min > 0;
	ret.moves_on = growth && moves_on(history);
	if (history->left)
		ret.verdict = LEAK_LEAK;
	else if (!growth || ret.moves_on || (!ret.is_steady && turns_over(history)))
		ret.verdict = judge_level(history, ret.moves_on || history->is_passing);
	else if (ret.is_steady && !history->flow.ended && is_stuck(history))
		ret.verdict = LEAK_LEAK;
	else
		ret.verdict = LEAK_GROWING;
	return ret;
}

bool leak_is_timed(uint64_t run_cnt, uint64_t watched_ns, uint64_t timeout_ns)
{
	return timeout_ns && run_cnt / LEAK_RUNS_A_PERIOD <= watched_ns / timeout_ns + 1;
}

const char *leak_verdict_name(enum leak_verdict verdict)
{
	static const char *const names[] = {
		[LEAK_LEAK] = "leak",	[LEAK_GROWING] = "growing", [LEAK_SHRINKING] = "shrinking",
		[LEAK_CHURN] = "churn", [LEAK_POOL] = "pool",	    [LEAK_IDLE] = "idle",
	};

	return names[verdict];
}
