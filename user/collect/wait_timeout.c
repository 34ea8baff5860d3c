/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The kernel copied the structure when the thread went in; what stands there now may be anything.
 * A time that no caller would give, or one that passed long ago, is therefore not believed.
 */
#include "collect/wait_timeout.h"

#include <linux/futex.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "proc/memory.h"

#define NS_PER_S 1000000000LL
#define SECONDS_MAX 9000000000LL		    /* as ns it still fits */
#define FOREVER_NS (100 * 365 * 86400LL * NS_PER_S) /* callers' ways to say "no timeout" */
#define OVERDUE_MAX_NS (60 * NS_PER_S)

enum form {
	FORM_TIMESPEC,
	FORM_TIMEVAL,
	FORM_MS, /* in the argument itself, negative for none */
};

/* What a timeout is counted from, beside the clocks of clock_gettime(2). */
#define BASE_RELATIVE (-1)
#define BASE_UNKNOWN (-2)

struct timeout_rule {
	const char *syscall;
	uint8_t arg; /* which argument has the timeout */
	enum form form;
	int (*base)(const uint64_t *arg); /* NULL: relative */
};

static int futex_base(const uint64_t *arg)
{
	bool realtime = arg[1] & FUTEX_CLOCK_REALTIME;

	switch (arg[1] & FUTEX_CMD_MASK) {
	case FUTEX_WAIT:
		return BASE_RELATIVE;
	case FUTEX_LOCK_PI:
		return CLOCK_REALTIME;
	case FUTEX_WAIT_BITSET:
	case FUTEX_WAIT_REQUEUE_PI:
	case FUTEX_LOCK_PI2:
		return realtime ? CLOCK_REALTIME : CLOCK_MONOTONIC;
	default:
		return BASE_UNKNOWN;
	}
}

static int futex_wait_base(const uint64_t *arg)
{
	return (int)arg[5];
}

static int futex_waitv_base(const uint64_t *arg)
{
	return (int)arg[4];
}

static int clock_nanosleep_base(const uint64_t *arg)
{
	return arg[1] & TIMER_ABSTIME ? (int)arg[0] : BASE_RELATIVE;
}

static int realtime_base(const uint64_t *arg)
{
	(void)arg;
	return CLOCK_REALTIME;
}

static const struct timeout_rule rules[] = {
	{ "futex", 3, FORM_TIMESPEC, futex_base },
	{ "futex_wait", 4, FORM_TIMESPEC, futex_wait_base },
	{ "futex_waitv", 3, FORM_TIMESPEC, futex_waitv_base },
	{ "clock_nanosleep", 2, FORM_TIMESPEC, clock_nanosleep_base },
	{ "nanosleep", 0, FORM_TIMESPEC, NULL },
	{ "epoll_wait", 3, FORM_MS, NULL },
	{ "epoll_pwait", 3, FORM_MS, NULL },
	{ "epoll_pwait2", 3, FORM_TIMESPEC, NULL },
	{ "poll", 2, FORM_MS, NULL },
	{ "ppoll", 2, FORM_TIMESPEC, NULL },
	{ "select", 4, FORM_TIMEVAL, NULL },
	{ "pselect6", 4, FORM_TIMESPEC, NULL },
	{ "rt_sigtimedwait", 2, FORM_TIMESPEC, NULL },
	{ "semtimedop", 3, FORM_TIMESPEC, NULL },
	{ "io_getevents", 4, FORM_TIMESPEC, NULL },
	{ "io_pgetevents", 4, FORM_TIMESPEC, NULL },
	{ "mq_timedsend", 4, FORM_TIMESPEC, realtime_base },
	{ "mq_timedreceive", 4, FORM_TIMESPEC, realtime_base },
};

/* Reads the timeout of @rule into @ret_ns. Returns 1, or 0 when there is none to believe. */
static int read_timeout(pid_t tgid, const struct timeout_rule *rule, const uint64_t *arg,
			int64_t *ret_ns, bool *ret_unreadable)
{
	int64_t value[2], fraction_max = rule->form == FORM_TIMEVAL ? 1000000 : NS_PER_S;
	int32_t ms = (int32_t)arg[rule->arg];

	if (rule->form == FORM_MS) {
		*ret_ns = ms * (NS_PER_S / 1000);
		return ms >= 0;
	}
	if (!arg[rule->arg])
		return 0;
	if (memory_read(tgid, arg[rule->arg], value, sizeof(value)) != sizeof(value)) {
		*ret_unreadable = true;
		return 0;
	}
	if (value[0] < 0 || value[0] > SECONDS_MAX || value[1] < 0 || value[1] >= fraction_max)
		return 0;
	*ret_ns = value[0] * NS_PER_S + value[1] * (NS_PER_S / fraction_max);
	return 1;
}

/* Writes the time on the clock that @base is, or how long a relative timeout has run.
 * Returns 1, or 0 for a clock that the request does not tell. */
static int time_on_clock(int base, const struct wait_request *request, uint64_t *ret_ns)
{
	switch (base) {
	case BASE_RELATIVE:
		/* A restarted call counts from before its stop, its age does not. */
		*ret_ns = request->age_ns;
		return strcmp(request->evidence->syscall, "restart_syscall") != 0;
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_ALARM:
		*ret_ns = request->wall_ns;
		return 1;
	case CLOCK_MONOTONIC:
		*ret_ns = request->mono_ns;
		return 1;
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*ret_ns = request->mono_ns + (clock_boot_ns() - clock_mono_ns());
		return 1;
	default:
		return 0;
	}
}

void wait_timeout_describe(pid_t tgid, const char *syscall, const struct wait_request *request,
			   struct wait_answer *answer)
{
	const uint64_t *arg = request->evidence->arg;
	const struct timeout_rule *rule = NULL;
	int64_t timeout_ns, left_ns;
	uint64_t now_ns;

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]) && !rule; i++)
		if (!strcmp(rules[i].syscall, syscall))
			rule = &rules[i];
	if (!rule ||
	    !time_on_clock(rule->base ? rule->base(arg) : BASE_RELATIVE, request, &now_ns) ||
	    !read_timeout(tgid, rule, arg, &timeout_ns, &answer->unreadable))
		return;
	if (now_ns > INT64_MAX || __builtin_sub_overflow(timeout_ns, (int64_t)now_ns, &left_ns) ||
	    left_ns > FOREVER_NS || left_ns < -OVERDUE_MAX_NS)
		return;
	answer->timeout_was_read = rule->form != FORM_MS;
	answer->timeout_left_ns = left_ns;
	answer->has_timeout = true;
}
