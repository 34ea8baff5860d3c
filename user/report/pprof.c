/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A profile for 'go tool pprof' and everything else that reads such. Of a snapshot a sample counts
 * threads, as Go's goroutine profile counts goroutines; of a recording it has a count and
 * nanoseconds. What has one stack and one set of labels is one sample.
 *
 * What is wrong with a stack is a function in brackets at its root, as in the folded form.
 */
#include "report/formats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report/locations.h"
#include "report/profile.h"
#include "report/spans.h"
#include "report/words.h"

#define SAMPLE_MAX (4u << 20)
#define LABEL_MAX 8
#define NOT_ASKED (-1) /* all bytes set */

/* What a profile is of: the names of its values, of which the first is a count. */
struct kind {
	const char *count;
	const char *time; /* in nanoseconds; NULL: there is no second value */
	bool sampled;	  /* by a clock */
};

static const struct kind snapshot_kind = { .count = "goroutine" };
static const struct kind kind_by[REPORT_BY_CNT] = {
	[REPORT_BY_BLOCKED] = { "contentions", "delay", false },
	[REPORT_BY_RUN_QUEUE] = { "contentions", "delay", false },
	[REPORT_BY_WAKER] = { "contentions", "delay", false },
	[REPORT_BY_ON_CPU] = { "samples", "cpu", true },
	[REPORT_BY_WALL] = { "samples", "wall", false },
};

/* Threads, or spans of threads, with one stack and one set of labels. */
struct sample {
	uint64_t cnt;
	uint64_t total_ns;
	int64_t wait;	    /* text of the profile */
	int64_t created_by; /* likewise; 0: not known */
	uint32_t process;
	uint32_t comm; /* of the thread; string */
	uint32_t tid;  /* 0: several threads */
	uint32_t stack, kstack;
	uint32_t waker, waker_stack;
	uint32_t serial; /* order in which they were met */
};

struct pprof {
	struct report *report;
	const struct model *model;
	const struct kind *kind;
	bool by_thread; /* threads are not put together */
	struct profile profile;
	struct locations locations;
	struct vec samples; /* struct sample */
	struct table sample_by_hash;
	int64_t *creator_by_stack; /* text, of which 0 is none; NOT_ASKED */
};

/* -- what is one sample -- */

static bool sample_equals(const struct pprof *pprof, const struct sample *a, const struct sample *b)
{
	return a->wait == b->wait && a->created_by == b->created_by && a->process == b->process &&
	       a->comm == b->comm && a->stack == b->stack && a->kstack == b->kstack &&
	       a->waker == b->waker && a->waker_stack == b->waker_stack &&
	       (!pprof->by_thread || a->tid == b->tid);
}

static uint64_t sample_hash(const struct pprof *pprof, const struct sample *sample)
{
	uint64_t hash = hash_mix(hash_mix((uint64_t)sample->wait, sample->process), sample->comm);

	hash = hash_mix(hash_mix(hash, (uint64_t)sample->created_by), sample->stack);
	hash = hash_mix(hash, sample->kstack);
	hash = hash_mix(hash_mix(hash, sample->waker), sample->waker_stack);
	return pprof->by_thread ? hash_mix(hash, sample->tid) : hash;
}

/* Profiles have signed numbers. */
static uint64_t add_capped(uint64_t a, uint64_t b)
{
	return a > INT64_MAX || b > INT64_MAX - a ? INT64_MAX : a + b;
}

/* Adds @wanted to the sample of its stack and labels. */
static int add_sample(struct pprof *pprof, const struct sample *wanted)
{
	uint64_t hash = sample_hash(pprof, wanted);
	struct sample *sample;
	uint32_t idx;
	int err;

	for (; table_find(&pprof->sample_by_hash, hash, &idx); hash++) {
		sample = vec_at(&pprof->samples, idx);
		if (!sample_equals(pprof, sample, wanted))
			continue;
		sample->cnt = add_capped(sample->cnt, wanted->cnt);
		sample->total_ns = add_capped(sample->total_ns, wanted->total_ns);
		if (sample->tid != wanted->tid)
			sample->tid = 0;
		return 0;
	}
	idx = pprof->samples.len;
	err = vec_append(&pprof->samples, wanted, 1);
	if (err)
		return err;
	sample = vec_at(&pprof->samples, idx);
	sample->cnt = add_capped(0, wanted->cnt);
	sample->total_ns = add_capped(0, wanted->total_ns);
	sample->serial = idx;
	return table_put(&pprof->sample_by_hash, hash, idx);
}

static int64_t put_words(struct pprof *pprof, const char *words)
{
	struct buf *line = &pprof->report->line;

	buf_clear(line);
	clean_append(line, words);
	return profile_text(&pprof->profile, buf_text(line));
}

/* Writes to @ret the text that names the function that created @thread; 0 when it is not known. */
static int find_creator(struct pprof *pprof, const struct model_thread *thread, int64_t *ret)
{
	const struct model_birth *birth = model_birth_of(pprof->model, thread);
	struct frames *frames = &pprof->report->frames;
	struct buf *line = &pprof->report->line;
	const struct frame_ref *own;
	int64_t *creator;
	int err;

	*ret = 0;
	if (!birth || birth->stack == MODEL_NONE)
		return 0;
	creator = &pprof->creator_by_stack[birth->stack];
	if (*creator == NOT_ASKED) {
		err = frames_load_creator(frames, pprof->model, birth->stack);
		if (err)
			return err;
		*creator = 0;
		own = frames_own(frames);
		if (own) {
			buf_clear(line);
			frame_put_bare_name(line, pprof->model, own, false);
			*creator = profile_text(&pprof->profile, buf_text(line));
		}
	}
	*ret = *creator;
	return 0;
}

static int add_thread(struct pprof *pprof, const struct model_thread *thread)
{
	const char *words = wait_words(pprof->model, thread->wait, thread->syscall, thread->state);
	struct sample sample = { .cnt = 1,
				 .wait = put_words(pprof, words),
				 .process = thread->process,
				 .comm = thread->comm,
				 .tid = thread->tid,
				 .stack = thread->stack,
				 .kstack = MODEL_NONE,
				 .waker_stack = MODEL_NONE };
	int err = find_creator(pprof, thread, &sample.created_by);

	if (pprof->report->options->kernel)
		sample.kstack = thread->kstack;
	return err ? err : add_sample(pprof, &sample);
}

static int add_span(struct pprof *pprof, const struct model_span *span)
{
	const struct model_thread *thread = model_thread(pprof->model, span->thread);
	const struct span_group like = { .kind = span->kind,
					 .wait = span->wait,
					 .syscall = span->syscall };
	struct sample sample = { .cnt = span->cnt,
				 .total_ns = span->total_ns,
				 .wait = put_words(pprof, span_words(pprof->model, &like)),
				 .process = thread->process,
				 .comm = thread->comm,
				 .tid = thread->tid,
				 .stack = span->stack,
				 .kstack = MODEL_NONE,
				 .waker_stack = MODEL_NONE };
	int err = find_creator(pprof, thread, &sample.created_by);

	if (pprof->report->options->kernel)
		sample.kstack = span->kstack;
	if (pprof->report->options->by == REPORT_BY_WAKER) {
		sample.waker = span->waker;
		sample.waker_stack = span->waker_stack;
	}
	return err ? err : add_sample(pprof, &sample);
}

static int add_all(struct pprof *pprof)
{
	const struct report_options *options = pprof->report->options;
	const struct model *model = pprof->model;
	int err = 0;

	for (uint32_t i = 0; i < model->threads.len && !model->window_ns && !err; i++)
		if (filter_shows(options, model_thread(model, i)))
			err = add_thread(pprof, model_thread(model, i));
	for (uint32_t i = 0; i < model->spans.len && model->window_ns && !err; i++)
		if (span_is_chosen(options, model_span(model, i)))
			err = add_span(pprof, model_span(model, i));
	return err;
}

/* -- samples -- */

/* The ids of a sample's locations, leaf first. */
struct ids {
	uint64_t id[3 * MODEL_STACK_MAX + LOCATION_MARK_CNT];
	size_t cnt;
};

static void add_mark(struct pprof *pprof, struct ids *ids, enum location_mark mark)
{
	ids->id[ids->cnt++] = locations_mark(&pprof->locations, mark);
}

static void add_stack(struct pprof *pprof, struct ids *ids, uint32_t stack_idx, bool inverse)
{
	const struct model *model = pprof->model;
	const struct model_stack *stack;

	if (stack_idx == MODEL_NONE)
		return;
	stack = model_stack(model, stack_idx);
	for (uint32_t i = 0; i < stack->loc_cnt; i++) {
		uint32_t off = inverse ? stack->loc_cnt - 1 - i : i;
		const uint32_t *loc = vec_at(&model->stack_locs, stack->first_loc + off);

		ids->id[ids->cnt++] = locations_loc(&pprof->locations, *loc, inverse);
	}
}

static void add_quality(struct pprof *pprof, struct ids *ids, uint32_t stack)
{
	if (stack == MODEL_NONE) {
		add_mark(pprof, ids, LOCATION_NO_STACK);
		return;
	}
	switch ((enum stack_quality)model_stack(pprof->model, stack)->quality) {
	case STACK_COMPLETE:
		break;
	case STACK_TRUNCATED:
		add_mark(pprof, ids, LOCATION_TRUNCATED);
		break;
	case STACK_GUESSED:
		add_mark(pprof, ids, LOCATION_GUESSED);
		break;
	}
}

struct labels {
	Pprof__Label label[LABEL_MAX], *ref[LABEL_MAX];
	size_t cnt;
};

/* Adds a label with text @text, or, when that is 0, number @num; none when both are 0. */
static void add_label(struct pprof *pprof, struct labels *labels, const char *key, int64_t text,
		      int64_t num)
{
	Pprof__Label *label = &labels->label[labels->cnt];

	if (!text && !num)
		return;
	pprof__label__init(label);
	label->key = profile_text(&pprof->profile, key);
	label->str = text;
	label->num = text ? 0 : num;
	labels->ref[labels->cnt++] = label;
}

static void put_sample(struct pprof *pprof, const struct sample *sample)
{
	const struct model_process *process = model_process(pprof->model, sample->process);
	int64_t values[] = { (int64_t)sample->cnt, (int64_t)sample->total_ns };
	Pprof__Sample message = PPROF__SAMPLE__INIT, *messages[] = { &message };
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	struct locations *locations = &pprof->locations;
	struct labels labels = { .cnt = 0 };
	struct ids ids = { .cnt = 0 };

	if (sample->waker || sample->waker_stack != MODEL_NONE) {
		add_stack(pprof, &ids, sample->waker_stack, true);
		add_mark(pprof, &ids, LOCATION_WOKEN_BY);
	}
	add_stack(pprof, &ids, sample->kstack, false);
	add_stack(pprof, &ids, sample->stack, false);
	add_quality(pprof, &ids, sample->stack);
	add_label(pprof, &labels, "process", locations_text(locations, process->comm), 0);
	add_label(pprof, &labels, "thread", locations_text(locations, sample->comm), 0);
	add_label(pprof, &labels, "wait", sample->wait, 0);
	add_label(pprof, &labels, "created_by", sample->created_by, 0);
	add_label(pprof, &labels, "waker", locations_text(locations, sample->waker), 0);
	add_label(pprof, &labels, "pid", 0, process->tgid);
	add_label(pprof, &labels, "tid", 0, sample->tid);
	message.n_location_id = ids.cnt;
	message.location_id = ids.id;
	message.n_value = pprof->kind->time ? 2 : 1;
	message.value = values;
	message.n_label = labels.cnt;
	message.label = labels.ref;
	piece.n_sample = 1;
	piece.sample = messages;
	profile_put(&pprof->profile, &piece);
}

static int compare_samples(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	if (x->total_ns != y->total_ns)
		return x->total_ns > y->total_ns ? -1 : 1;
	if (x->cnt != y->cnt)
		return x->cnt > y->cnt ? -1 : 1;
	return (x->serial > y->serial) - (x->serial < y->serial);
}

static void put_samples(struct pprof *pprof)
{
	if (pprof->samples.len)
		qsort(pprof->samples.data, pprof->samples.len, sizeof(struct sample),
		      compare_samples);
	for (uint32_t i = 0; i < pprof->samples.len; i++)
		put_sample(pprof, vec_at(&pprof->samples, i));
}

/* -- the rest -- */

static void put_comment(struct pprof *pprof, const char *words)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	int64_t comment = put_words(pprof, words);

	piece.n_comment = 1;
	piece.comment = &comment;
	profile_put(&pprof->profile, &piece);
}

static void put_comments(struct pprof *pprof)
{
	const struct model *model = pprof->model;
	char text[256];

	snprintf(text, sizeof(text), "loiter %s", model_str(model, model->loiter_version));
	put_comment(pprof, text);
	for (uint32_t i = 0; i < LOSS_CNT; i++) {
		if (!model->losses[i])
			continue;
		snprintf(text, sizeof(text), "lost: %s",
			 loss_words((enum loss)i, model->losses[i]).text);
		put_comment(pprof, text);
	}
}

/* Returns how much one sample of a clock stands for: the mean. */
static int64_t sampling_period(const struct pprof *pprof)
{
	uint64_t cnt = 0, total_ns = 0;

	for (uint32_t i = 0; i < pprof->samples.len; i++) {
		const struct sample *sample = vec_at(&pprof->samples, i);

		cnt = add_capped(cnt, sample->cnt);
		total_ns = add_capped(total_ns, sample->total_ns);
	}
	return cnt ? (int64_t)(total_ns / cnt) : 1;
}

static void put_head(struct pprof *pprof)
{
	const struct kind *kind = pprof->kind;
	Pprof__ValueType count = PPROF__VALUE_TYPE__INIT, time = PPROF__VALUE_TYPE__INIT;
	Pprof__ValueType *types[] = { &count, &time };
	Pprof__Profile piece = PPROF__PROFILE__INIT;

	count.type = put_words(pprof, kind->count);
	count.unit = put_words(pprof, "count");
	if (kind->time) {
		time.type = put_words(pprof, kind->time);
		time.unit = put_words(pprof, "nanoseconds");
	}
	piece.n_sample_type = kind->time ? 2 : 1;
	piece.sample_type = types;
	piece.default_sample_type = types[piece.n_sample_type - 1]->type;
	piece.period_type = kind->sampled ? &time : &count;
	piece.period = kind->sampled ? sampling_period(pprof) : 1;
	piece.time_nanos = (int64_t)pprof->model->wall_ns;
	piece.duration_nanos = (int64_t)pprof->model->window_ns;
	profile_put(&pprof->profile, &piece);
}

int report_pprof(struct report *report)
{
	const struct model *model = report->model;
	struct pprof pprof = {
		.report = report,
		.model = model,
		.kind = model->window_ns ? &kind_by[report->options->by] : &snapshot_kind,
		.by_thread = report->options->by_thread || report->options->verbose
	};
	size_t creators_bytes = ((size_t)model->stacks.len + 1) * sizeof(pprof.creator_by_stack[0]);
	int err, end_err;

	vec_init(&pprof.samples, sizeof(struct sample), SAMPLE_MAX);
	table_init(&pprof.sample_by_hash, SAMPLE_MAX);
	pprof.creator_by_stack = malloc(creators_bytes);
	err = profile_begin(&pprof.profile, report->out);
	if (!pprof.creator_by_stack)
		err = -ENOMEM;
	else
		memset(pprof.creator_by_stack, 0xff, creators_bytes);
	if (!err)
		err = add_all(&pprof);
	if (!err) {
		put_head(&pprof);
		err = locations_init(&pprof.locations, model, &pprof.profile);
	}
	if (!err) {
		put_samples(&pprof);
		put_comments(&pprof);
	}
	locations_release(&pprof.locations);
	end_err = profile_end(&pprof.profile);
	free(pprof.creator_by_stack);
	table_release(&pprof.sample_by_hash);
	vec_release(&pprof.samples);
	return err ? err : end_err;
}
