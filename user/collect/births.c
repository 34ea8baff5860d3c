/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "collect/births.h"

#include <errno.h>

#include "capture/shown.h"
#include "collect/assemble.h"
#include "collect/recording.h"
#include "proc/process.h"

/* Adds the processes that were forked and still live to @tgids. Returns 0 or -errno. */
static int find_forked(const struct book *book, struct vec *tgids)
{
	int err = 0;

	for (uint32_t i = 0; i < book->births.len && !err; i++) {
		const struct wire_birth *birth = vec_at(&book->births, i);
		pid_t tgid = (pid_t)birth->tgid;

		if (birth->tid == birth->tgid && !process_has_ended(tgid))
			err = vec_append(tgids, &tgid, 1);
	}
	return err;
}

/* Takes the snapshot that is reported, in place of the one at the start. */
static int take_snapshot(struct recording *recording, struct err *err)
{
	const struct record_options *options = recording->options;
	struct vec tgids;
	int code;

	vec_init(&tgids, sizeof(pid_t), PROCESS_MAX);
	code = vec_append(&tgids, options->tgids, options->tgid_cnt);
	if (!code)
		code = find_forked(&recording->book, &tgids);
	if (code) {
		vec_release(&tgids);
		return err_set_errno(err, code, "cannot look at every process");
	}
	snapshot_release(&recording->snapshot);
	recording->snapshot = (struct snapshot){ 0 };
	code = capture_retarget(recording->capture, tgids.data, tgids.len, err);
	if (!code)
		code = snapshot_take(recording->capture, &recording->snapshot, err);
	vec_release(&tgids);
	return code;
}

int births_take(struct recording *recording, struct model *model, struct err *err)
{
	const struct assemble_spans births = { .add = book_births_to_model,
					       .space = book_space,
					       .close_space = book_close_space,
					       .arg = &recording->book };
	int code = recording_begin_child(recording, err);

	if (!code)
		code = recording_follow(recording, err);
	if (!code)
		code = take_snapshot(recording, err);
	recorder_stop(recording->recorder);
	if (!code && !recording->snapshot.entries.len)
		code = err_set(err, -ESRCH, "'%s' ended before it was looked at",
			       recording->options->child->name);
	if (code)
		return code;
	code = recorder_drain(recording->recorder, recording_on_event, recording);
	if (!code)
		code = book_index_entries(&recording->book);
	if (code)
		return err_set_errno(err, code, "cannot keep every thread's creator");
	recording_add_losses(recording);
	return assemble_model(&recording->snapshot, &births, model, err);
}

/* -- what other loiters know -- */

struct found_birth {
	struct wire_birth birth;
	uint32_t entry;
	uint32_t stack; /* in .stacks; UINT32_MAX: none */
};

/* Writes the index of the stack @id of @shown to @ret, UINT32_MAX when there is none. */
static int find_stack(struct births *births, const struct shown *shown, struct table *by_id,
		      uint64_t id, uint32_t *ret)
{
	struct wire_birth_stack stack;
	int err;

	if (table_find(by_id, id, ret))
		return 0;
	*ret = UINT32_MAX;
	if (!shown_stack(shown, id, &stack))
		return 0;
	err = vec_append(&births->stacks, &stack, 1);
	if (err)
		return err;
	*ret = births->stacks.len - 1;
	return table_put(by_id, id, *ret);
}

void births_find(struct births *births, const struct snapshot *snapshot)
{
	struct shown *shown = shown_open();
	struct table stack_by_id;
	int err = 0;

	*births = (struct births){ .snapshot = snapshot };
	vec_init(&births->births, sizeof(struct found_birth), MODEL_THREAD_MAX);
	vec_init(&births->stacks, sizeof(struct wire_birth_stack), MODEL_THREAD_MAX);
	table_init(&stack_by_id, MODEL_THREAD_MAX);
	for (uint32_t i = 0; shown && i < snapshot->entries.len && !err; i++) {
		const struct entry *entry = vec_at(&snapshot->entries, i);
		struct found_birth found = { .entry = i };

		if (!shown_birth(shown, entry->tid, entry->start_ns, &found.birth))
			continue;
		err = find_stack(births, shown, &stack_by_id, found.birth.stack_id, &found.stack);
		if (!err)
			err = vec_append(&births->births, &found, 1);
	}
	table_release(&stack_by_id);
	shown_close(shown);
}

void births_release(struct births *births)
{
	vec_release(&births->births);
	vec_release(&births->stacks);
}

/* Code that is not there any more has another number than what is, and so gets no names of it. */
static uint32_t shown_stack_to_model(const struct wire_birth_stack *stack, struct model *model,
				     uint32_t process)
{
	bool guessed = stack->guessed_idx < stack->pc_cnt;
	enum stack_quality quality = guessed			   ? STACK_GUESSED
				     : stack->end == WIRE_END_ROOT ? STACK_COMPLETE
								   : STACK_TRUNCATED;
	uint32_t locs[WIRE_WALK_MAX];

	for (uint32_t i = 0; i < stack->pc_cnt; i++) {
		locs[i] = model_intern_loc(model, process, stack->code[i],
					   stack->pc[i] & ~WIRE_PC_EXACT,
					   stack->pc[i] & WIRE_PC_EXACT);
		if (locs[i] == MODEL_NONE)
			return MODEL_NONE;
	}
	return model_intern_stack(model, locs, stack->pc_cnt, quality, (enum stack_end)stack->end,
				  guessed ? (uint16_t)stack->guessed_idx : 0);
}

int births_to_model(void *arg, struct model *model, const uint32_t *thread_of_entry)
{
	const struct births *births = arg;

	for (uint32_t i = 0; i < births->births.len; i++) {
		const struct found_birth *found = vec_at(&births->births, i);
		uint32_t thread = thread_of_entry[found->entry], process;
		struct model_birth *birth;

		if (thread == MODEL_NONE || model_thread(model, thread)->birth != MODEL_NONE)
			continue;
		birth = model_add_birth(model, thread);
		if (!birth)
			return -ENOMEM;
		birth->creator_tid = found->birth.creator_tid;
		birth->creator_tgid = found->birth.creator_tgid;
		birth->creator_comm = strpool_add(&model->strings, found->birth.creator_comm);
		process = model_find_process(model, found->birth.creator_tgid);
		if (found->stack != UINT32_MAX && process != MODEL_NONE)
			birth->stack = shown_stack_to_model(vec_at(&births->stacks, found->stack),
							    model, process);
	}
	return 0;
}
