/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The futex calls of a recording for programs: docs/OUTPUT.md has their schema. Each futex is on a
 * line of its own. */
#include "report/futexes.h"

#include <inttypes.h>
#include <jansson.h>

#include "report/json_parts.h"

static const char *const kind_names[] = {
	[FUTEX_WAITS] = "wait",		  [FUTEX_WAITS_ANY] = "waitv",
	[FUTEX_LOCKS_PI] = "lock_pi",	  [FUTEX_WAITS_REQUEUE_PI] = "wait_requeue_pi",
	[FUTEX_WAKES] = "wake",		  [FUTEX_WAKES_OP] = "wake_op",
	[FUTEX_UNLOCKS_PI] = "unlock_pi", [FUTEX_MOVES] = "requeue",
};

/* Sets how often, and how it ended; what waits has other endings than what wakes. */
static int set_counts(json_t *json, const struct model_futex *sum, bool waits)
{
	int err = json_object_set_new(json, "count", json_u64(sum->cnt));

	if (waits) {
		err |= json_object_set_new(json, "total_ns", json_u64(sum->total_ns));
		err |= json_object_set_new(json, "max_ns", json_u64(sum->max_ns));
		err |= json_object_set_new(json, "open", json_u64(sum->open_cnt));
		err |= json_object_set_new(json, "timed_out", json_u64(sum->timeout_cnt));
	} else {
		err |= json_object_set_new(json, "woken", json_u64(sum->woken_cnt));
		err |= json_object_set_new(json, "moved", json_u64(sum->moved_cnt));
		err |= json_object_set_new(json, "nobody", json_u64(sum->nobody_cnt));
	}
	err |= json_object_set_new(json, "changed", json_u64(sum->changed_cnt));
	err |= json_object_set_new(json, "interrupted", json_u64(sum->interrupted_cnt));
	err |= json_object_set_new(json, "failed", json_u64(sum->failed_cnt));
	return err;
}

static json_t *json_counts(const struct model_futex *sum, bool waits)
{
	json_t *json = json_object();

	return json_checked(json, set_counts(json, sum, waits));
}

static json_t *json_wait(struct report *report, uint8_t wait)
{
	return wait ? json_clean(report, wait_words(report->model, wait, 0, THREAD_BLOCKED))
		    : json_null();
}

/* Returns what stands before the parts of a group. */
static json_t *json_group_head(struct report *report, const struct futex_group *group)
{
	const struct model_futex *waits = &group->waits;
	json_t *json = json_object();
	int err = 0;

	err |= json_object_set_new(json, "address", json_hex(waits->addr));
	err |= json_object_set_new(json, "name", json_str(report, waits->name));
	err |= json_object_set_new(json, "shared", json_boolean(waits->is_shared));
	err |= json_object_set_new(json, "wait", json_wait(report, waits->wait));
	err |= json_object_set_new(json, "waits", json_counts(waits, true));
	err |= json_object_set_new(json, "wakes", json_counts(&group->wakes, false));
	return json_checked(json, err);
}

static json_t *json_part_head(struct report *report, const struct model_futex *part)
{
	bool waits = futex_kind_waits(part->kind);
	json_t *json = json_object();
	int err = json_object_set_new(json, "op", json_string(kind_names[part->kind]));

	err |= json_object_set_new(json, "wait", json_wait(report, part->wait));
	err |= set_counts(json, part, waits);
	return json_checked(json, err);
}

static int put_json_group(struct json_writer *writer, const struct futex_groups *groups,
			  const struct futex_group *group)
{
	struct report *report = writer->report;
	int err;

	fputc('{', report->out);
	err = put_json(report, json_group_head(report, group), JSON_EMBED);
	fputs(",\"stacks\":[", report->out);
	for (uint32_t i = 0; i < group->part_cnt && !err; i++) {
		const struct model_futex *part = futex_group_part(groups, group, i);

		fputs(i ? ",{" : "{", report->out);
		err = put_json(report, json_part_head(report, part), JSON_EMBED);
		if (!err)
			err = put_json_stack(writer, part->stack);
		fputc('}', report->out);
	}
	fputs("]}", report->out);
	return err;
}

int put_json_futexes(struct json_writer *writer, const struct futex_groups *groups,
		     uint32_t process, uint32_t first, uint32_t *ret_next)
{
	FILE *out = writer->report->out;
	uint32_t i;
	int err = 0;

	fputs(",\"futexes\":[", out);
	for (i = first; i < groups->groups.len && !err; i++) {
		const struct futex_group *group = futex_groups_at(groups, i);

		if (group->waits.process != process)
			break;
		fputs(i == first ? "\n" : ",\n", out);
		err = put_json_group(writer, groups, group);
	}
	fputs(i == first ? "]" : "\n]", out);
	*ret_next = i;
	return err;
}
