/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What follows from the order of things is not encoded but made anew: where a stack's locs, a loc's
 * frames and a process's threads begin. So they cannot overlap or point outside.
 */
#include "model/codec.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "wire/columns.h"
#include "wire/varint.h"

/* What a column's values may be. */
enum domain {
	DOMAIN_ANY,
	DOMAIN_BOOL,
	DOMAIN_STRING,
	DOMAIN_PROCESS,
	DOMAIN_PROCESS_OR_NONE,
	DOMAIN_THREAD,
	DOMAIN_STACK_OR_NONE,
	DOMAIN_LOC,
	DOMAIN_LOC_CNT,
	DOMAIN_STATE,
	DOMAIN_WAIT,
	DOMAIN_SPAN_KIND,
	DOMAIN_FUTEX_KIND,
	DOMAIN_COHORT_OR_NONE,
	DOMAIN_LIMIT_KIND,
	DOMAIN_QUALITY,
	DOMAIN_END,
	DOMAIN_CNT,
};

#define COLUMN(type, field, domain)                                                                \
	{                                                                                          \
		offsetof(struct type, field), sizeof(((struct type *)0)->field), domain, false, 0  \
	}
/* Of a field that is younger than the first captures, which are read as if it were @value. */
#define LATE_COLUMN(type, field, domain, value)                                                    \
	{                                                                                          \
		offsetof(struct type, field), sizeof(((struct type *)0)->field), domain, true,     \
			value                                                                      \
	}

/* A field that is added to a struct must be added to its columns (or made anew in rebuild_*):
 * these sizes are here to remind of it. */
_Static_assert(sizeof(struct model_process) == 32, "columns of model_process");
_Static_assert(sizeof(struct model_thread) == 96, "columns of model_thread");
_Static_assert(sizeof(struct model_stack) == 12, "columns of model_stack");
_Static_assert(sizeof(struct model_loc) == 32, "columns of model_loc");
_Static_assert(sizeof(struct model_frame) == 40, "columns of model_frame");
_Static_assert(sizeof(struct model_span) == 168, "columns of model_span");
_Static_assert(sizeof(struct model_birth) == 20, "columns of model_birth");
_Static_assert(sizeof(struct model_mapping) == 40, "columns of model_mapping");
_Static_assert(sizeof(struct model_futex) == 112, "columns of model_futex");
_Static_assert(sizeof(struct model_cohort) == 56, "columns of model_cohort");
_Static_assert(sizeof(struct model_limit) == 32, "columns of model_limit");
_Static_assert(sizeof(struct model) == sizeof(struct strpool) + 13 * sizeof(struct vec) +
					       sizeof(struct model_indices) + sizeof(struct table) +
					       sizeof(uint64_t[LOSS_CNT]) + 7 * sizeof(uint64_t) +
					       5 * sizeof(uint32_t) + sizeof(uint32_t),
	       "encode_meta, encode_watch and the tables");
_Static_assert(SPAN_HIST_CNT == 28, "columns of model_span");

static const struct column process_columns[] = {
	COLUMN(model_process, start_ns, DOMAIN_ANY),
	COLUMN(model_process, tgid, DOMAIN_ANY),
	COLUMN(model_process, comm, DOMAIN_STRING),
	COLUMN(model_process, exe, DOMAIN_STRING),
	LATE_COLUMN(model_process, has_ended, DOMAIN_BOOL, false),
	LATE_COLUMN(model_process, from_birth, DOMAIN_BOOL, false),
};

static const struct column thread_columns[] = {
	COLUMN(model_thread, start_ns, DOMAIN_ANY),
	COLUMN(model_thread, age_ns, DOMAIN_ANY),
	COLUMN(model_thread, run_cnt, DOMAIN_ANY),
	COLUMN(model_thread, timeout_left_ns, DOMAIN_ANY),
	COLUMN(model_thread, process, DOMAIN_PROCESS),
	COLUMN(model_thread, tid, DOMAIN_ANY),
	COLUMN(model_thread, comm, DOMAIN_STRING),
	COLUMN(model_thread, stack, DOMAIN_STACK_OR_NONE),
	COLUMN(model_thread, kstack, DOMAIN_STACK_OR_NONE),
	COLUMN(model_thread, object, DOMAIN_STRING),
	COLUMN(model_thread, syscall, DOMAIN_STRING),
	COLUMN(model_thread, state, DOMAIN_STATE),
	COLUMN(model_thread, wait, DOMAIN_WAIT),
	COLUMN(model_thread, has_timeout, DOMAIN_BOOL),
	COLUMN(model_thread, raced, DOMAIN_BOOL),
	LATE_COLUMN(model_thread, watched_ns, DOMAIN_ANY, 0),
	LATE_COLUMN(model_thread, watched_runs, DOMAIN_ANY, 0),
	LATE_COLUMN(model_thread, cohort, DOMAIN_COHORT_OR_NONE, MODEL_NONE),
	LATE_COLUMN(model_thread, has_moved, DOMAIN_BOOL, false),
};

static const struct column stack_columns[] = {
	COLUMN(model_stack, loc_cnt, DOMAIN_LOC_CNT),
	COLUMN(model_stack, quality, DOMAIN_QUALITY),
	COLUMN(model_stack, end, DOMAIN_END),
	COLUMN(model_stack, guessed_idx, DOMAIN_LOC_CNT),
};

static const struct column stack_loc_columns[] = {
	{ 0, sizeof(uint32_t), DOMAIN_LOC, false, 0 },
};

static const struct column loc_columns[] = {
	COLUMN(model_loc, pc, DOMAIN_ANY),
	COLUMN(model_loc, process, DOMAIN_PROCESS_OR_NONE),
	COLUMN(model_loc, frame_cnt, DOMAIN_ANY),
	COLUMN(model_loc, exact, DOMAIN_BOOL),
};

static const struct column frame_columns[] = {
	COLUMN(model_frame, func_off, DOMAIN_ANY),  COLUMN(model_frame, module_off, DOMAIN_ANY),
	COLUMN(model_frame, func, DOMAIN_STRING),   COLUMN(model_frame, file, DOMAIN_STRING),
	COLUMN(model_frame, module, DOMAIN_STRING), COLUMN(model_frame, line, DOMAIN_ANY),
	COLUMN(model_frame, inlined, DOMAIN_BOOL),  COLUMN(model_frame, kernel, DOMAIN_BOOL),
};

#define HIST_COLUMN(i) COLUMN(model_span, hist[i], DOMAIN_ANY)
#define HIST_COLUMNS(i)                                                                            \
	HIST_COLUMN(i), HIST_COLUMN((i) + 1), HIST_COLUMN((i) + 2), HIST_COLUMN((i) + 3)

static const struct column span_columns[] = {
	COLUMN(model_span, total_ns, DOMAIN_ANY),
	COLUMN(model_span, max_ns, DOMAIN_ANY),
	COLUMN(model_span, cnt, DOMAIN_ANY),
	COLUMN(model_span, thread, DOMAIN_THREAD),
	COLUMN(model_span, stack, DOMAIN_STACK_OR_NONE),
	COLUMN(model_span, waker_stack, DOMAIN_STACK_OR_NONE),
	COLUMN(model_span, waker, DOMAIN_STRING),
	COLUMN(model_span, syscall, DOMAIN_STRING),
	COLUMN(model_span, kind, DOMAIN_SPAN_KIND),
	COLUMN(model_span, wait, DOMAIN_WAIT),
	COLUMN(model_span, open, DOMAIN_BOOL),
	HIST_COLUMNS(0),
	HIST_COLUMNS(4),
	HIST_COLUMNS(8),
	HIST_COLUMNS(12),
	HIST_COLUMNS(16),
	HIST_COLUMNS(20),
	HIST_COLUMNS(24),
	LATE_COLUMN(model_span, kstack, DOMAIN_STACK_OR_NONE, MODEL_NONE),
};

static const struct column mapping_columns[] = {
	COLUMN(model_mapping, start_addr, DOMAIN_ANY),
	COLUMN(model_mapping, end_addr, DOMAIN_ANY),
	COLUMN(model_mapping, file_off, DOMAIN_ANY),
	COLUMN(model_mapping, process, DOMAIN_PROCESS),
	COLUMN(model_mapping, path, DOMAIN_STRING),
	COLUMN(model_mapping, build_id, DOMAIN_STRING),
};

static const struct column birth_columns[] = {
	COLUMN(model_birth, thread, DOMAIN_THREAD),
	COLUMN(model_birth, creator_tid, DOMAIN_ANY),
	COLUMN(model_birth, creator_tgid, DOMAIN_ANY),
	COLUMN(model_birth, creator_comm, DOMAIN_STRING),
	COLUMN(model_birth, stack, DOMAIN_STACK_OR_NONE),
};

static const struct column futex_columns[] = {
	COLUMN(model_futex, addr, DOMAIN_ANY),
	COLUMN(model_futex, cnt, DOMAIN_ANY),
	COLUMN(model_futex, total_ns, DOMAIN_ANY),
	COLUMN(model_futex, max_ns, DOMAIN_ANY),
	COLUMN(model_futex, timeout_cnt, DOMAIN_ANY),
	COLUMN(model_futex, changed_cnt, DOMAIN_ANY),
	COLUMN(model_futex, interrupted_cnt, DOMAIN_ANY),
	COLUMN(model_futex, failed_cnt, DOMAIN_ANY),
	COLUMN(model_futex, woken_cnt, DOMAIN_ANY),
	COLUMN(model_futex, moved_cnt, DOMAIN_ANY),
	COLUMN(model_futex, nobody_cnt, DOMAIN_ANY),
	COLUMN(model_futex, open_cnt, DOMAIN_ANY),
	COLUMN(model_futex, process, DOMAIN_PROCESS),
	COLUMN(model_futex, name, DOMAIN_STRING),
	COLUMN(model_futex, stack, DOMAIN_STACK_OR_NONE),
	COLUMN(model_futex, kind, DOMAIN_FUTEX_KIND),
	COLUMN(model_futex, wait, DOMAIN_WAIT),
	COLUMN(model_futex, is_shared, DOMAIN_BOOL),
};

static const struct column cohort_columns[] = {
	COLUMN(model_cohort, alive_start, DOMAIN_ANY),
	COLUMN(model_cohort, born, DOMAIN_ANY),
	COLUMN(model_cohort, ended, DOMAIN_ANY),
	COLUMN(model_cohort, left, DOMAIN_ANY),
	COLUMN(model_cohort, process, DOMAIN_PROCESS),
	COLUMN(model_cohort, creator, DOMAIN_STACK_OR_NONE),
	COLUMN(model_cohort, stack, DOMAIN_STACK_OR_NONE),
	COLUMN(model_cohort, syscall, DOMAIN_STRING),
	COLUMN(model_cohort, wait, DOMAIN_WAIT),
	COLUMN(model_cohort, is_older, DOMAIN_BOOL),
	COLUMN(model_cohort, is_forked, DOMAIN_BOOL),
};

static const struct column cohort_point_columns[] = {
	{ 0, sizeof(uint32_t), DOMAIN_ANY, false, 0 },
};

static const struct column limit_columns[] = {
	COLUMN(model_limit, max, DOMAIN_ANY),	      COLUMN(model_limit, used, DOMAIN_ANY),
	COLUMN(model_limit, process, DOMAIN_PROCESS), COLUMN(model_limit, name, DOMAIN_STRING),
	COLUMN(model_limit, kind, DOMAIN_LIMIT_KIND),
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TABLE(section, name, columns)                                                              \
	{                                                                                          \
		section, #name, offsetof(struct model, name), columns, COUNT(columns)              \
	}

static const struct model_table {
	uint32_t section;
	const char *name;
	size_t vec_off; /* of the vector in struct model */
	const struct column *columns;
	size_t column_cnt;
} tables[] = {
	TABLE(CAPFILE_MODEL_PROCESSES, processes, process_columns),
	TABLE(CAPFILE_MODEL_THREADS, threads, thread_columns),
	TABLE(CAPFILE_MODEL_STACKS, stacks, stack_columns),
	TABLE(CAPFILE_MODEL_STACK_LOCS, stack_locs, stack_loc_columns),
	TABLE(CAPFILE_MODEL_LOCS, locs, loc_columns),
	TABLE(CAPFILE_MODEL_FRAMES, frames, frame_columns),
	TABLE(CAPFILE_MODEL_SPANS, spans, span_columns),
	TABLE(CAPFILE_MODEL_MAPPINGS, mappings, mapping_columns),
	TABLE(CAPFILE_MODEL_BIRTHS, births, birth_columns),
	TABLE(CAPFILE_MODEL_FUTEXES, futexes, futex_columns),
	TABLE(CAPFILE_MODEL_COHORTS, cohorts, cohort_columns),
	TABLE(CAPFILE_MODEL_COHORT_POINTS, cohort_points, cohort_point_columns),
	TABLE(CAPFILE_MODEL_LIMITS, limits, limit_columns),
};

static const struct vec *table_vec(const struct model *model, const struct model_table *table)
{
	return (const struct vec *)((const char *)model + table->vec_off);
}

/* -- encoding -- */

/* Copies the frames in the order of their locs. Returns 0, -E2BIG or -ENOMEM. */
static int frames_by_loc(const struct model *model, struct vec *ret_frames)
{
	int err = 0;

	for (uint32_t i = 0; i < model->locs.len && !err; i++) {
		const struct model_loc *loc = model_loc(model, i);

		if (loc->frame_cnt)
			err = vec_append(ret_frames, model_loc_frames(model, loc), loc->frame_cnt);
	}
	return err;
}

/* Whether @model has the table, if only an empty one. */
static bool has_table(const struct model *model, const struct model_table *table)
{
	if (table->section == CAPFILE_MODEL_SPANS)
		return model->window_ns;
	if (table->section == CAPFILE_MODEL_FUTEXES)
		return model->has_futexes;
	if (table->section == CAPFILE_MODEL_COHORTS)
		return model->watch_ns;
	return table->section < CAPFILE_MODEL_MAPPINGS || table_vec(model, table)->len;
}

/* What stands before the cohorts. */
static void encode_watch(const struct model *model, struct buf *buf)
{
	varint_put(buf, model->watch_ns);
	varint_put(buf, model->point_ns);
	varint_put(buf, model->point_cnt);
	varint_put(buf, model->folded_born);
	varint_put(buf, model->folded_ended);
}

static int encode_tables(const struct model *model, struct buf *buf, struct capfile_writer *writer)
{
	struct vec frames;
	int err;

	vec_init(&frames, sizeof(struct model_frame), MODEL_LOC_MAX);
	err = frames_by_loc(model, &frames);
	for (size_t i = 0; i < COUNT(tables) && !err; i++) {
		bool is_frames = tables[i].section == CAPFILE_MODEL_FRAMES;

		if (!has_table(model, &tables[i]))
			continue;
		buf_clear(buf);
		if (tables[i].section == CAPFILE_MODEL_SPANS)
			varint_put(buf, model->window_ns);
		if (tables[i].section == CAPFILE_MODEL_COHORTS)
			encode_watch(model, buf);
		columns_encode(buf, is_frames ? &frames : table_vec(model, &tables[i]),
			       tables[i].columns, tables[i].column_cnt);
		err = buf->failed ? -ENOMEM
				  : capfile_writer_put(writer, tables[i].section, buf_text(buf),
						       buf->len);
	}
	vec_release(&frames);
	return err;
}

static int encode_meta(const struct model *model, struct buf *buf, struct capfile_writer *writer)
{
	buf_clear(buf);
	varint_put(buf, model->wall_ns);
	varint_put(buf, model->boot_ns);
	varint_put(buf, zigzag_encode(model->utc_offset_s));
	varint_put(buf, model->loiter_version);
	varint_put(buf, model->host);
	varint_put(buf, model->kernel);
	varint_put(buf, model->strings.lost_cnt);
	varint_put(buf, LOSS_CNT);
	for (uint32_t i = 0; i < LOSS_CNT; i++)
		varint_put(buf, model->losses[i]);
	if (buf->failed)
		return -ENOMEM;
	return capfile_writer_put(writer, CAPFILE_MODEL_META, buf->data, buf->len);
}

/* The strings by id, each with its NUL, as they lie in the pool. */
static int encode_strings(const struct model *model, struct capfile_writer *writer)
{
	const struct strpool *strings = &model->strings;

	return capfile_writer_put(writer, CAPFILE_MODEL_STRINGS, buf_text(&strings->text),
				  strings->text.len);
}

int model_encode(const struct model *model, struct capfile_writer *writer)
{
	struct buf buf;
	int err;

	buf_init(&buf, CAPFILE_SECTION_MAX_BYTES);
	err = encode_meta(model, &buf, writer);
	if (!err)
		err = encode_strings(model, writer);
	if (!err)
		err = encode_tables(model, &buf, writer);
	buf_release(&buf);
	return err;
}

/* -- decoding: first every section as it comes, then what refers from one to another -- */

static int decode_table(struct model *model, const struct model_table *table, struct cursor *cursor,
			const struct capfile_reader *reader, struct err *err)
{
	struct vec *vec = (struct vec *)((char *)model + table->vec_off);
	int code = columns_decode(cursor, vec, table->columns, table->column_cnt);

	if (code == -ENOMEM)
		return err_set_errno(err, code, "cannot read '%s'", reader->name);
	if (code == -E2BIG)
		return capfile_reader_damaged(reader, err, "it has too many %s", table->name);
	if (code)
		return capfile_reader_damaged(reader, err, "its %s make no sense", table->name);
	return 0;
}

static int decode_strings(struct model *model, struct cursor *cursor,
			  const struct capfile_reader *reader, struct err *err)
{
	struct strpool *strings = &model->strings;
	size_t len = cursor_left_bytes(cursor);
	const char *text = cursor_bytes(cursor, len);

	if (!len)
		return 0;
	if (text[len - 1] || len > strings->text.max_bytes)
		return capfile_reader_damaged(reader, err, "its strings make no sense");
	if (buf_put(&strings->text, text, len))
		return err_set_errno(err, -ENOMEM, "cannot read '%s'", reader->name);
	/* Not by strpool_add: who chooses the strings could make them collide in its table. */
	for (size_t at = 0; at < len; at += strlen(text + at) + 1) {
		uint32_t off = (uint32_t)at;

		if (vec_append(&strings->offs, &off, 1))
			return capfile_reader_damaged(reader, err, "it has too many strings");
	}
	return 0;
}

static int decode_losses(struct model *model, struct cursor *cursor,
			 const struct capfile_reader *reader, struct err *err)
{
	uint64_t cnt = cursor_varint(cursor);

	for (uint64_t i = 0; i < cnt && !cursor->failed; i++) {
		uint64_t loss_cnt = cursor_varint(cursor);

		if (i < LOSS_CNT)
			model->losses[i] = loss_cnt;
		else if (loss_cnt)
			return err_set(err, -EBADMSG,
				       "'%s' was written by a newer loiter (it tells of a loss "
				       "that this one does not know)",
				       reader->name);
	}
	return 0;
}

static int decode_meta(struct model *model, struct cursor *cursor,
		       const struct capfile_reader *reader, struct err *err)
{
	uint64_t version, host, kernel, lost_cnt;
	int64_t utc_offset_s;
	int code;

	model->wall_ns = cursor_varint(cursor);
	model->boot_ns = cursor_varint(cursor);
	utc_offset_s = zigzag_decode(cursor_varint(cursor));
	version = cursor_varint(cursor);
	host = cursor_varint(cursor);
	kernel = cursor_varint(cursor);
	lost_cnt = cursor_varint(cursor);
	code = decode_losses(model, cursor, reader, err);
	if (code)
		return code;
	/* Anything but a day's worth of seconds is no time zone. */
	if (cursor->failed || utc_offset_s < -86400 || utc_offset_s > 86400 ||
	    (version | host | kernel | lost_cnt) > UINT32_MAX)
		return capfile_reader_damaged(reader, err, "its head makes no sense");
	model->utc_offset_s = (int32_t)utc_offset_s;
	model->loiter_version = (uint32_t)version;
	model->host = (uint32_t)host;
	model->kernel = (uint32_t)kernel;
	model->strings.lost_cnt = (uint32_t)lost_cnt;
	return 0;
}

static int decode_watch(struct model *model, struct cursor *cursor,
			const struct capfile_reader *reader, struct err *err)
{
	uint64_t point_cnt;

	model->watch_ns = cursor_varint(cursor);
	model->point_ns = cursor_varint(cursor);
	point_cnt = cursor_varint(cursor);
	model->folded_born = cursor_varint(cursor);
	model->folded_ended = cursor_varint(cursor);
	if (!model->watch_ns || point_cnt > MODEL_COHORT_POINT_MAX)
		return capfile_reader_damaged(reader, err, "its window makes no sense");
	model->point_cnt = (uint32_t)point_cnt;
	return 0;
}

/* Decodes one section and notes it in @seen; unknown ones are passed over. */
static int decode_section(struct model *model, uint32_t type, const struct buf *payload,
			  uint32_t *seen, const struct capfile_reader *reader, struct err *err)
{
	struct cursor cursor;

	if (type > CAPFILE_MODEL_LIMITS)
		return 0;
	if (*seen & 1u << type)
		return capfile_reader_damaged(reader, err, "section %u comes twice", type);
	*seen |= 1u << type;
	cursor_init(&cursor, payload->data, payload->len);
	if (type == CAPFILE_MODEL_META)
		return decode_meta(model, &cursor, reader, err);
	if (type == CAPFILE_MODEL_STRINGS)
		return decode_strings(model, &cursor, reader, err);
	if (type == CAPFILE_MODEL_SPANS) {
		model->window_ns = cursor_varint(&cursor);
		if (!model->window_ns)
			return capfile_reader_damaged(reader, err, "its window makes no sense");
	}
	if (type == CAPFILE_MODEL_COHORTS) {
		int code = decode_watch(model, &cursor, reader, err);

		if (code)
			return code;
	}
	model->has_futexes |= type == CAPFILE_MODEL_FUTEXES;
	for (size_t i = 0; i < COUNT(tables); i++)
		if (tables[i].section == type)
			return decode_table(model, &tables[i], &cursor, reader, err);
	return 0;
}

static int check_ranges(const struct model *model, const struct capfile_reader *reader,
			struct err *err)
{
	uint64_t string_end = (uint64_t)model->strings.offs.len + 1;
	const struct column_range ranges[DOMAIN_CNT] = {
		[DOMAIN_ANY] = { .any = true },
		[DOMAIN_BOOL] = { .end = 2 },
		[DOMAIN_STRING] = { .end = string_end },
		[DOMAIN_PROCESS] = { .end = model->processes.len },
		[DOMAIN_PROCESS_OR_NONE] = { .end = model->processes.len, .or_none = true },
		[DOMAIN_THREAD] = { .end = model->threads.len },
		[DOMAIN_STACK_OR_NONE] = { .end = model->stacks.len, .or_none = true },
		[DOMAIN_LOC] = { .end = model->locs.len },
		[DOMAIN_LOC_CNT] = { .end = MODEL_STACK_MAX + 1 },
		[DOMAIN_STATE] = { .min = THREAD_RUNNING, .end = THREAD_ZOMBIE + 1 },
		[DOMAIN_WAIT] = { .min = WAIT_NONE, .end = WAIT_KIND_CNT },
		[DOMAIN_SPAN_KIND] = { .min = SPAN_BLOCKED, .end = SPAN_ON_CPU + 1 },
		[DOMAIN_FUTEX_KIND] = { .min = FUTEX_WAITS, .end = FUTEX_MOVES + 1 },
		[DOMAIN_COHORT_OR_NONE] = { .end = model->cohorts.len, .or_none = true },
		[DOMAIN_LIMIT_KIND] = { .min = LIMIT_NPROC, .end = LIMIT_PID_MAX + 1 },
		[DOMAIN_QUALITY] = { .min = STACK_COMPLETE, .end = STACK_GUESSED + 1 },
		[DOMAIN_END] = { .min = STACK_END_ROOT, .end = STACK_END_UNLEARNED + 1 },
	};

	for (size_t i = 0; i < COUNT(tables); i++)
		if (!columns_in_range(table_vec(model, &tables[i]), tables[i].columns,
				      tables[i].column_cnt, ranges))
			return capfile_reader_damaged(reader, err, "its %s are out of range",
						      tables[i].name);
	if (model->loiter_version >= string_end || model->host >= string_end ||
	    model->kernel >= string_end)
		return capfile_reader_damaged(reader, err, "its head is out of range");
	return 0;
}

/* Stacks lie one behind the other in .stack_locs. */
static bool rebuild_stacks(struct model *model)
{
	uint64_t next = 0;

	for (uint32_t i = 0; i < model->stacks.len; i++) {
		struct model_stack *stack = model_stack(model, i);

		stack->first_loc = (uint32_t)next;
		next += stack->loc_cnt;
		if (next > model->stack_locs.len || stack->guessed_idx > stack->loc_cnt)
			return false;
	}
	return next == model->stack_locs.len;
}

/* The frames of locs lie one behind the other in .frames. */
static bool rebuild_locs(struct model *model)
{
	uint64_t next = 0;

	for (uint32_t i = 0; i < model->locs.len; i++) {
		struct model_loc *loc = model_loc(model, i);

		loc->first_frame = loc->frame_cnt ? (uint32_t)next : 0;
		next += loc->frame_cnt;
		if (next > model->frames.len)
			return false;
	}
	return next == model->frames.len;
}

/* The threads of a process lie one behind the other in .threads, as after model_sort. */
static bool rebuild_processes(struct model *model)
{
	uint32_t process_idx = 0;

	for (uint32_t i = 0; i < model->threads.len; i++) {
		const struct model_thread *thread = model_thread(model, i);
		struct model_process *process = model_process(model, thread->process);

		if (thread->process < process_idx)
			return false;
		process_idx = thread->process;
		if (!process->thread_cnt++)
			process->first_thread = i;
	}
	return true;
}

/* A thread is born once. */
static bool rebuild_births(struct model *model)
{
	for (uint32_t i = 0; i < model->threads.len; i++)
		model_thread(model, i)->birth = MODEL_NONE;
	for (uint32_t i = 0; i < model->births.len; i++) {
		const struct model_birth *birth = vec_at(&model->births, i);
		struct model_thread *thread = model_thread(model, birth->thread);

		if (thread->birth != MODEL_NONE)
			return false;
		thread->birth = i;
	}
	return true;
}

/* As many come and go as there are, and each cohort has its points. */
static bool check_cohorts(const struct model *model)
{
	for (uint32_t i = 0; i < model->cohorts.len; i++) {
		const struct model_cohort *cohort = model_cohort(model, i);
		uint64_t lived;

		if (__builtin_add_overflow(cohort->alive_start, cohort->born, &lived) ||
		    lived < cohort->ended || cohort->left > lived - cohort->ended)
			return false;
	}
	return (uint64_t)model->cohorts.len * model->point_cnt == model->cohort_points.len;
}

int model_decode(struct model *model, struct capfile_reader *reader, struct err *err)
{
	/* Without spans it is a snapshot; of all that is behind them it may have none. */
	const uint32_t snapshot_sections = (1u << (CAPFILE_MODEL_FRAMES + 1)) - 2;
	uint32_t type, seen = 0;
	struct buf payload;
	int code;

	buf_init(&payload, 0);
	while ((code = capfile_reader_next(reader, &type, &payload, err)) == 1) {
		code = decode_section(model, type, &payload, &seen, reader, err);
		if (code)
			break;
	}
	buf_release(&payload);
	if (code)
		return code;
	if ((seen & snapshot_sections) != snapshot_sections)
		return capfile_reader_damaged(reader, err, "a part of it is missing");
	code = check_ranges(model, reader, err);
	if (code)
		return code;
	if (!rebuild_stacks(model) || !rebuild_locs(model) || !rebuild_processes(model) ||
	    !rebuild_births(model) || !check_cohorts(model))
		return capfile_reader_damaged(reader, err, "its parts contradict each other");
	return 0;
}
