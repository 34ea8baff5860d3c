/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "collect/record.h"

#include <errno.h>

#include "base/clock.h"
#include "collect/assemble.h"
#include "collect/recording.h"

static int keep_run(void *arg, uint32_t tid, const struct wire_run *run)
{
	struct recording *recording = arg;
	struct living_run living = { .tid = tid, .run = *run };
	struct wire_exit ended = { .tid = tid, .run = *run };

	if (run->state == WIRE_RUN_ENDED)
		return vec_append(&recording->ended, &ended, 1);
	return vec_append(&recording->runs, &living, 1);
}

static int keep_span(void *arg, const struct wire_span_key *key, const struct wire_span *span)
{
	struct recording *recording = arg;

	return book_add_span(&recording->book, key, span);
}

static int record(struct recording *recording, struct err *err)
{
	struct book *book = &recording->book;
	uint64_t wall_ns, boot_ns, passed_ns;
	int code = recording->options->child ? recording_begin_child(recording, err)
					     : recording_begin(recording, err);

	passed_ns = clock_mono_ns() - book->start_ns;
	wall_ns = clock_wall_ns() - passed_ns;
	boot_ns = clock_boot_ns() - passed_ns;
	if (!code)
		code = recording_follow(recording, err);
	book->end_ns = recorder_stop(recording->recorder);
	if (code)
		return code;
	recording->snapshot.wall_ns = wall_ns;
	recording->snapshot.boot_ns = boot_ns;
	code = recorder_drain(recording->recorder, recording_on_event, recording);
	if (!code)
		code = recorder_read_runs(recording->recorder, keep_run, recording);
	if (!code)
		code = recording_settle(recording);
	if (!code)
		code = recording_look_last(recording);
	if (!code && recording->options->futexes)
		code = futexes_read(&recording->futexes, recording->recorder);
	if (!code)
		code = recording_book_runs(recording);
	if (!code)
		code = recorder_read_spans(recording->recorder, keep_span, recording);
	recording_add_losses(recording);
	return code ? err_set_errno(err, code, "cannot keep what was recorded") : 0;
}

int record_take(struct recording *recording, struct model *model, struct err *err)
{
	struct assemble_spans spans = { .add = book_to_model,
					.space = book_space,
					.close_space = book_close_space,
					.arg = &recording->book,
					.ops = &recording->book.ops };
	int code = record(recording, err);

	if (code)
		return code;
	if (!recording->snapshot.entries.len)
		return err_set(err, -ESRCH, "the process exited before it was seen");
	return assemble_model(&recording->snapshot, &spans, model, err);
}
