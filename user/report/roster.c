/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "report/roster.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "report/created_by.h"
#include "report/words.h"

#define LISTED_MAX 3 /* objects or names in one line */

/* The distinct strings that some threads have, in order of tid. */
struct distinct {
	struct vec ids;	     /* uint32_t */
	uint32_t thread_cnt; /* threads that have one */
};

static uint32_t object_of(const struct model_thread *thread)
{
	return thread->object;
}

static uint32_t comm_of(const struct model_thread *thread)
{
	return thread->comm;
}

/* Collects what @id_of gives for each thread but 0 and @usual. Returns 0 or -ENOMEM; the caller
 * releases @ret->ids in either case. */
static int distinct_collect(const struct members *members,
			    uint32_t (*id_of)(const struct model_thread *thread), uint32_t usual,
			    struct distinct *ret)
{
	struct table seen;
	uint32_t unused;
	int err = 0;

	*ret = (struct distinct){ 0 };
	vec_init(&ret->ids, sizeof(uint32_t), MODEL_THREAD_MAX);
	table_init(&seen, MODEL_THREAD_MAX);
	for (uint32_t i = 0; i < members->cnt && !err; i++) {
		uint32_t id = id_of(member_at(members, i));

		if (!id || id == usual)
			continue;
		ret->thread_cnt++;
		if (table_find(&seen, id, &unused))
			continue;
		err = table_put(&seen, id, 0);
		if (!err)
			err = vec_append(&ret->ids, &id, 1);
	}
	table_release(&seen);
	return err;
}

static const char *distinct_str(const struct report *report, const struct distinct *distinct,
				uint32_t idx)
{
	return model_str(report->model, *(uint32_t *)vec_at(&distinct->ids, idx));
}

/* Prints "A, B, C and 17 more", each between quotes @quote. */
static void put_listed(const struct report *report, const struct distinct *distinct,
		       const char *quote)
{
	uint32_t cnt = distinct->ids.len;

	for (uint32_t i = 0; i < cnt && i < LISTED_MAX; i++) {
		fprintf(report->out, "%s%s", i ? ", " : "", quote);
		put_clean(report->out, distinct_str(report, distinct, i));
		fputs(quote, report->out);
	}
	if (cnt > LISTED_MAX)
		fprintf(report->out, " and %u more", cnt - LISTED_MAX);
}

static void put_timeouts(const struct report *report, const struct members *members)
{
	int64_t min_ns = INT64_MAX, max_ns = INT64_MIN;
	uint32_t cnt = 0;

	for (uint32_t i = 0; i < members->cnt; i++) {
		const struct model_thread *thread = member_at(members, i);

		if (!thread->has_timeout)
			continue;
		cnt++;
		if (thread->timeout_left_ns < min_ns)
			min_ns = thread->timeout_left_ns;
		if (thread->timeout_left_ns > max_ns)
			max_ns = thread->timeout_left_ns;
	}
	if (!cnt)
		return;
	fprintf(report->out, ", %s", timeout_words(min_ns, max_ns).text);
	if (cnt < members->cnt)
		fprintf(report->out, " for %u", cnt);
}

int put_objects(const struct report *report, const struct members *members)
{
	struct distinct objects;
	int err = distinct_collect(members, object_of, 0, &objects);

	if (!err && objects.ids.len) {
		fputs(" on ", report->out);
		if (objects.ids.len == 1)
			put_clean(report->out, distinct_str(report, &objects, 0));
		else
			fprintf(report->out, "%u objects", objects.ids.len);
		if (objects.thread_cnt < members->cnt)
			fprintf(report->out, " (%u of them)", objects.thread_cnt);
	}
	vec_release(&objects.ids);
	put_timeouts(report, members);
	return err;
}

int put_object_list(const struct report *report, const struct members *members)
{
	struct distinct objects;
	int err = distinct_collect(members, object_of, 0, &objects);

	if (!err && objects.ids.len > 1) {
		fputs("  on ", report->out);
		put_listed(report, &objects, "");
		fputc('\n', report->out);
	}
	vec_release(&objects.ids);
	return err;
}

/* Prints the name of the outermost of the user's own frames, where the stack is whole. */
static void put_entry(struct report *report)
{
	const struct frames *frames = &report->frames;

	if (frames->quality != STACK_COMPLETE || frames->all_runtime)
		return;
	buf_clear(&report->line);
	frame_put_bare_name(&report->line, report->model, frames_at(frames, frames->user_end - 1),
			    false);
	fprintf(report->out, "; entry %s", buf_text(&report->line));
}

/* When threads of a group started, and how many they are. */
struct starts {
	uint64_t min_ns, max_ns;
	uint32_t cnt;
};

static void put_starts(const struct report *report, const struct starts *starts)
{
	struct words from = clock_words(report->model, starts->min_ns);
	struct words to = clock_words(report->model, starts->max_ns);

	fputs(from.text, report->out);
	if (strcmp(from.text, to.text))
		fprintf(report->out, " to %s", to.text);
}

static void starts_add(struct starts *starts, uint64_t start_ns)
{
	if (!starts->cnt || start_ns < starts->min_ns)
		starts->min_ns = start_ns;
	if (start_ns > starts->max_ns)
		starts->max_ns = start_ns;
	starts->cnt++;
}

/* Prints a line of those whose creation nobody saw: when they started. */
static void put_unseen(struct report *report, const struct starts *mains,
		       const struct starts *others)
{
	if (mains->cnt) {
		fprintf(report->out, "  main thread%s, started ", mains->cnt == 1 ? "" : "s");
		put_starts(report, mains);
		fputc('\n', report->out);
	}
	if (others->cnt) {
		fprintf(report->out, "  %screated before loiter attached, ",
			mains->cnt ? "the others " : "");
		put_starts(report, others);
		put_entry(report);
		fputc('\n', report->out);
	}
}

/* Prints the line and the frames of who created them. */
static int put_creation(struct report *report, const struct members *members,
			const struct starts *mains, const struct starts *others,
			const struct frame_form *form)
{
	int err;

	fputs("  ", report->out);
	if (!others->cnt)
		fprintf(report->out, "main thread%s ", mains->cnt == 1 ? "" : "s");
	err = put_created_in(report, members);
	fputs(", ", report->out);
	put_starts(report, others->cnt ? others : mains);
	return err ? err : put_creator_frames(report, form);
}

int put_origin(struct report *report, const struct members *members, const struct frame_form *form)
{
	struct starts mains = { 0 }, others = { 0 };

	for (uint32_t i = 0; i < members->cnt; i++) {
		const struct model_thread *thread = member_at(members, i);
		bool is_main = thread->tid == model_process(report->model, thread->process)->tgid;

		starts_add(is_main ? &mains : &others, thread->start_ns);
	}
	if (model_birth_of(report->model, member_at(members, 0)))
		return put_creation(report, members, &mains, &others, form);
	put_unseen(report, &mains, &others);
	return 0;
}

static uint32_t tid_at(const void *arg, uint32_t idx)
{
	const struct members *members = arg;

	return member_at(members, idx)->tid;
}

/* Prints "thread 314" or "threads 314 to 318, 402 and 7 more". */
static void put_tids(const struct report *report, const struct members *members)
{
	fputs(members->cnt == 1 ? "thread " : "threads ", report->out);
	put_ids(report, tid_at, members, members->cnt);
}

/* Prints how often the threads were switched out: an age alone makes one that polls look young. */
static void put_runs(const struct report *report, const struct members *members)
{
	uint64_t min = UINT64_MAX, max = 0;

	for (uint32_t i = 0; i < members->cnt; i++) {
		uint64_t run_cnt = member_at(members, i)->run_cnt;

		min = run_cnt < min ? run_cnt : min;
		max = run_cnt > max ? run_cnt : max;
	}
	if (max == 1)
		fputs("; ran once", report->out);
	else if (min == max)
		fprintf(report->out, "; ran %" PRIu64 " times", max);
	else
		fprintf(report->out, "; ran %" PRIu64 " to %" PRIu64 " times", min, max);
	fputs(min == max && members->cnt > 1 ? " each" : "", report->out);
}

/* Splits @name into a stem, whose length is returned, and the number behind it. */
static size_t name_stem(const char *name, uint64_t *ret_number)
{
	size_t len = strlen(name);

	while (len && name[len - 1] >= '0' && name[len - 1] <= '9')
		len--;
	*ret_number = 0;
	for (const char *digit = name + len; *digit; digit++)
		*ret_number = *ret_number * 10 + (uint64_t)(*digit - '0');
	return len;
}

/* Whether the names are one stem with numbers; then writes those with the lowest and highest. */
static bool names_are_family(const struct report *report, const struct distinct *names,
			     const char **ret_first, const char **ret_last)
{
	const char *first = distinct_str(report, names, 0), *last = first;
	uint64_t min, max, number;
	size_t stem_len = name_stem(first, &min);

	max = min;
	for (uint32_t i = 0; i < names->ids.len; i++) {
		const char *name = distinct_str(report, names, i);

		if (name_stem(name, &number) != stem_len || !name[stem_len] ||
		    strncmp(name, distinct_str(report, names, 0), stem_len) != 0)
			return false;
		if (number < min) {
			min = number;
			first = name;
		} else if (number > max) {
			max = number;
			last = name;
		}
	}
	*ret_first = first;
	*ret_last = last;
	return true;
}

static int put_names(const struct report *report, const struct members *members)
{
	uint32_t usual = model_process(report->model, member_at(members, 0)->process)->comm;
	struct distinct names;
	const char *first, *last;
	int err = distinct_collect(members, comm_of, usual, &names);

	if (!err && names.ids.len) {
		fputs("; named ", report->out);
		if (names.ids.len >= LISTED_MAX &&
		    names_are_family(report, &names, &first, &last)) {
			fputc('"', report->out);
			put_clean(report->out, first);
			fputs("\" to \"", report->out);
			put_clean(report->out, last);
			fputc('"', report->out);
		} else {
			put_listed(report, &names, "\"");
		}
	}
	vec_release(&names.ids);
	return err;
}

int put_roster(struct report *report, const struct members *members, bool recorded)
{
	int err;

	fputs("  ", report->out);
	put_tids(report, members);
	if (!recorded)
		put_runs(report, members);
	err = put_names(report, members);
	if (!err && recorded)
		err = put_common_creator(report, members);
	fputc('\n', report->out);
	return err;
}
