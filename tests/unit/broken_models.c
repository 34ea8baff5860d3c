/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "broken_models.h"

#include <string.h>

#include "sample_model.h"

static void break_thread_process(struct model *model)
{
	model_thread(model, 0)->process = 2;
}

static void break_thread_order(struct model *model)
{
	model_thread(model, 0)->process = 1;
}

static void break_thread_stack(struct model *model)
{
	model_thread(model, 0)->stack = model->stacks.len;
}

static void break_thread_kstack(struct model *model)
{
	model_thread(model, 0)->kstack = MODEL_NONE - 1;
}

static void break_thread_comm(struct model *model)
{
	model_thread(model, 0)->comm = model->strings.offs.len + 1;
}

static void break_thread_state(struct model *model)
{
	model_thread(model, 0)->state = 0;
}

static void break_thread_wait(struct model *model)
{
	model_thread(model, 0)->wait = WAIT_KIND_CNT;
}

static void break_thread_bool(struct model *model)
{
	memset(&model_thread(model, 0)->raced, 2, 1);
}

static void break_process_exe(struct model *model)
{
	model_process(model, 1)->exe = UINT32_MAX;
}

static void break_stack_quality(struct model *model)
{
	model_stack(model, 0)->quality = STACK_GUESSED + 1;
}

static void break_stack_end(struct model *model)
{
	model_stack(model, 0)->end = 0;
}

static void break_stack_length(struct model *model)
{
	model_stack(model, 0)->loc_cnt++;
}

static void break_stack_guess(struct model *model)
{
	model_stack(model, 0)->guessed_idx = 3;
}

static void break_stack_loc(struct model *model)
{
	*(uint32_t *)vec_at(&model->stack_locs, 0) = model->locs.len;
}

static void break_loc_process(struct model *model)
{
	model_loc(model, 0)->process = 2;
}

static void break_frame_func(struct model *model)
{
	((struct model_frame *)vec_at(&model->frames, 0))->func = 0x80000000;
}

static void break_head_string(struct model *model)
{
	model->host = model->strings.offs.len + 1;
}

static void break_time_zone(struct model *model)
{
	model->utc_offset_s = INT32_MIN;
}

static void break_span_thread(struct model *model)
{
	model_span(model, 1)->thread = model->threads.len;
}

static void break_span_stack(struct model *model)
{
	model_span(model, 1)->stack = model->stacks.len;
}

static void break_span_kstack(struct model *model)
{
	model_span(model, 1)->kstack = model->stacks.len;
}

static void break_span_waker_stack(struct model *model)
{
	model_span(model, 1)->waker_stack = MODEL_NONE - 1;
}

static void break_span_waker(struct model *model)
{
	model_span(model, 1)->waker = model->strings.offs.len + 1;
}

static void break_span_kind(struct model *model)
{
	model_span(model, 1)->kind = SPAN_ON_CPU + 1;
}

static void break_span_wait(struct model *model)
{
	model_span(model, 1)->wait = WAIT_KIND_CNT;
}

static void break_span_bool(struct model *model)
{
	memset(&model_span(model, 1)->open, 2, 1);
}

static void break_mapping_process(struct model *model)
{
	model_mapping(model, 1)->process = 2;
}

static void break_mapping_path(struct model *model)
{
	model_mapping(model, 1)->path = model->strings.offs.len + 1;
}

static void break_mapping_build_id(struct model *model)
{
	model_mapping(model, 0)->build_id = UINT32_MAX;
}

static void break_birth_thread(struct model *model)
{
	((struct model_birth *)vec_at(&model->births, 0))->thread = model->threads.len;
}

static void break_birth_stack(struct model *model)
{
	((struct model_birth *)vec_at(&model->births, 0))->stack = model->stacks.len;
}

static void break_second_birth(struct model *model)
{
	struct model_birth *births = model->births.data;

	births[0].thread = births[1].thread;
}

static void break_futex_process(struct model *model)
{
	model_futex(model, 0)->process = model->processes.len;
}

static void break_futex_name(struct model *model)
{
	model_futex(model, 1)->name = model->strings.offs.len + 1;
}

static void break_futex_stack(struct model *model)
{
	model_futex(model, 1)->stack = model->stacks.len;
}

static void break_futex_kind(struct model *model)
{
	model_futex(model, 0)->kind = FUTEX_MOVES + 1;
}

static void break_futex_no_kind(struct model *model)
{
	model_futex(model, 1)->kind = 0;
}

static void break_futex_wait(struct model *model)
{
	model_futex(model, 0)->wait = WAIT_KIND_CNT;
}

static void break_futex_bool(struct model *model)
{
	memset(&model_futex(model, 0)->is_shared, 2, 1);
}

static void break_strings(struct model *model)
{
	model->strings.text.len--;
}

static void break_thread_cohort(struct model *model)
{
	model_thread(model, 0)->cohort = model->cohorts.len;
}

static void break_process_bool(struct model *model)
{
	memset(&model_process(model, 0)->has_ended, 2, 1);
}

static void break_cohort_process(struct model *model)
{
	model_cohort(model, 0)->process = model->processes.len;
}

static void break_cohort_creator(struct model *model)
{
	model_cohort(model, 0)->creator = model->stacks.len;
}

static void break_cohort_stack(struct model *model)
{
	model_cohort(model, 0)->stack = model->stacks.len;
}

static void break_cohort_syscall(struct model *model)
{
	model_cohort(model, 0)->syscall = model->strings.offs.len + 1;
}

static void break_cohort_wait(struct model *model)
{
	model_cohort(model, 0)->wait = WAIT_KIND_CNT;
}

static void break_cohort_bool(struct model *model)
{
	memset(&model_cohort(model, 0)->is_forked, 2, 1);
}

static void break_cohort_sum(struct model *model)
{
	model_cohort(model, 0)->ended = 1000;
}

static void break_cohort_overflow(struct model *model)
{
	model_cohort(model, 0)->born = UINT64_MAX;
}

static void break_cohort_left(struct model *model)
{
	model_cohort(model, 0)->left = model_cohort_alive(model_cohort(model, 0)) + 1;
}

static void break_points(struct model *model)
{
	model->cohort_points.len--;
}

static void break_point_cnt(struct model *model)
{
	model->point_cnt = MODEL_COHORT_POINT_MAX + 1;
}

static void break_limit_process(struct model *model)
{
	((struct model_limit *)vec_at(&model->limits, 0))->process = model->processes.len;
}

static void break_limit_name(struct model *model)
{
	((struct model_limit *)vec_at(&model->limits, 0))->name = model->strings.offs.len + 1;
}

static void break_limit_kind(struct model *model)
{
	((struct model_limit *)vec_at(&model->limits, 0))->kind = 0;
}

static void (*const recording_breaks[])(struct model *) = {
	break_thread_process,	break_thread_order,	break_thread_stack,    break_thread_kstack,
	break_thread_comm,	break_thread_state,	break_thread_wait,     break_thread_bool,
	break_process_exe,	break_stack_quality,	break_stack_end,       break_stack_length,
	break_stack_guess,	break_stack_loc,	break_loc_process,     break_frame_func,
	break_head_string,	break_time_zone,	break_strings,	       break_span_thread,
	break_span_stack,	break_span_waker_stack, break_span_waker,      break_span_kind,
	break_span_wait,	break_span_bool,	break_mapping_process, break_mapping_path,
	break_mapping_build_id, break_birth_thread,	break_birth_stack,     break_second_birth,
	break_span_kstack,	break_futex_process,	break_futex_name,      break_futex_stack,
	break_futex_kind,	break_futex_no_kind,	break_futex_wait,      break_futex_bool,
};

static void (*const leaks_breaks[])(struct model *) = {
	break_thread_cohort, break_process_bool,    break_cohort_process, break_cohort_creator,
	break_cohort_stack,  break_cohort_syscall,  break_cohort_wait,	  break_cohort_bool,
	break_cohort_sum,    break_cohort_overflow, break_cohort_left,	  break_points,
	break_point_cnt,     break_limit_process,   break_limit_name,	  break_limit_kind,
};

#define RECORDING_CNT (sizeof(recording_breaks) / sizeof(recording_breaks[0]))
#define LEAKS_CNT (sizeof(leaks_breaks) / sizeof(leaks_breaks[0]))

uint32_t broken_model_cnt(void)
{
	return RECORDING_CNT + LEAKS_CNT;
}

void broken_model(uint32_t idx, struct model *model)
{
	if (idx < RECORDING_CNT) {
		sample_recording(model);
		recording_breaks[idx](model);
	} else {
		sample_leaks(model);
		leaks_breaks[idx - RECORDING_CNT](model);
	}
}
