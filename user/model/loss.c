/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "model/loss.h"

static const struct {
	const char *name;
	const char *text;
} losses[LOSS_CNT] = {
	[LOSS_THREADS_EXITED] = { "threads_exited", "threads ended during the snapshot" },
	[LOSS_THREADS_RACED] = { "threads_raced", "threads kept running: no stack could be had" },
	[LOSS_THREADS_OVER_MAX] = { "threads_over_max", "threads beyond the maximum" },
	[LOSS_RECORDS_BAD] = { "records_bad", "records from the kernel failed validation" },
	[LOSS_SAMPLES_DROPPED] = { "samples_dropped", "samples dropped: ring buffer full" },
	[LOSS_STACKS_UNREADABLE] = { "stacks_unreadable",
				     "stacks truncated: memory could not be read" },
	[LOSS_STACKS_NO_RULE] = { "stacks_no_rule", "stacks truncated: pc outside every mapping" },
	[LOSS_STACKS_BAD_FRAME] = { "stacks_bad_frame",
				    "stacks truncated: a frame contradicts itself" },
	[LOSS_STACKS_TOO_DEEP] = { "stacks_too_deep", "stacks truncated: too many frames" },
	[LOSS_STACKS_COPY_SHORT] = { "stacks_copy_short",
				     "stacks of running threads truncated: beyond the copy" },
	[LOSS_STACKS_COMPAT] = { "stacks_compat", "threads in 32-bit code: not walked" },
	[LOSS_STACKS_OVER_MAX] = { "stacks_over_max", "stacks beyond the maximum" },
	[LOSS_STACKS_GUESSED] = { "stacks_guessed", "stacks with frames guessed by frame pointer" },
	[LOSS_MODULES_UNREADABLE] = { "modules_unreadable", "ELF files could not be read" },
	[LOSS_MODULES_CHANGED] = { "modules_changed",
				   "ELF files on disk differ from what is mapped" },
	[LOSS_SYMBOLS_UNREADABLE] = { "symbols_unreadable", "symbol tables could not be read" },
	[LOSS_KSTACKS_MISSING] = { "kstacks_missing", "kernel stacks could not be had" },
	[LOSS_AGES_UNCALIBRATED] = { "ages_uncalibrated",
				     "ages not calibrated: may be some ms off" },
	[LOSS_PROCESSES_UNREADABLE] = { "processes_unreadable",
					"processes whose memory map could not be read" },
	[LOSS_STRINGS_OVER_MAX] = { "strings_over_max", "names beyond the maximum" },
	[LOSS_OBJECTS_UNREADABLE] = { "objects_unreadable", "wait objects could not be read" },
	[LOSS_STACKS_NO_CFI] = { "stacks_no_cfi",
				 "stacks truncated: code without call frame information" },
	[LOSS_EVENTS_DROPPED] = { "events_dropped", "events dropped: ring buffer full" },
	[LOSS_THREADS_UNTRACKED] = { "threads_untracked",
				     "switches of threads beyond the maximum: not booked" },
	[LOSS_SPANS_OVER_MAX] = { "spans_over_max",
				  "blocks beyond the maximum of different ones: not booked" },
	[LOSS_SPANS_NO_STACK] = { "spans_no_stack", "blocks without a stack: not learned in time" },
	[LOSS_RULES_OVER_MAX] = { "rules_over_max", "unwind rules beyond the maximum" },
};

const char *loss_name(enum loss loss)
{
	return losses[loss].name;
}

const char *loss_text(enum loss loss)
{
	return losses[loss].text;
}
