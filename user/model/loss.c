/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "model/loss.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

/* In a text, what stands between '|' and the next blank is for more than one. */
static const struct {
	const char *name;
	const char *text;
} losses[LOSS_CNT] = {
	[LOSS_THREADS_EXITED] = { "threads_exited", "thread|s ended during the snapshot" },
	[LOSS_THREADS_RACED] = { "threads_raced", "thread|s kept running: no stack could be had" },
	[LOSS_THREADS_OVER_MAX] = { "threads_over_max", "thread|s beyond the maximum" },
	[LOSS_RECORDS_BAD] = { "records_bad", "record|s from the kernel failed validation" },
	[LOSS_SAMPLES_DROPPED] = { "samples_dropped", "sample|s dropped: ring buffer full" },
	[LOSS_STACKS_UNREADABLE] = { "stacks_unreadable",
				     "stack|s truncated: memory could not be read" },
	[LOSS_STACKS_NO_RULE] = { "stacks_no_rule", "stack|s truncated: pc outside every mapping" },
	[LOSS_STACKS_BAD_FRAME] = { "stacks_bad_frame",
				    "stack|s truncated: a frame contradicts itself" },
	[LOSS_STACKS_TOO_DEEP] = { "stacks_too_deep", "stack|s truncated: too many frames" },
	[LOSS_STACKS_COPY_SHORT] = { "stacks_copy_short",
				     "stack|s truncated: beyond the copy of a running thread's" },
	[LOSS_STACKS_COMPAT] = { "stacks_compat", "thread|s in 32-bit code: not walked" },
	[LOSS_STACKS_OVER_MAX] = { "stacks_over_max", "stack|s beyond the maximum" },
	[LOSS_STACKS_GUESSED] = { "stacks_guessed",
				  "stack|s with frames guessed by frame pointer" },
	[LOSS_MODULES_UNREADABLE] = { "modules_unreadable", "ELF file|s could not be read" },
	[LOSS_MODULES_CHANGED] = { "modules_changed", "ELF file|s on disk not as mapped" },
	[LOSS_SYMBOLS_UNREADABLE] = { "symbols_unreadable", "symbol table|s could not be read" },
	[LOSS_KSTACKS_MISSING] = { "kstacks_missing", "kernel stack|s could not be had" },
	[LOSS_AGES_UNCALIBRATED] = { "ages_uncalibrated",
				     "age|s not calibrated: may be some ms off" },
	[LOSS_PROCESSES_UNREADABLE] = { "processes_unreadable",
					"process|es whose memory map could not be read" },
	[LOSS_STRINGS_OVER_MAX] = { "strings_over_max", "name|s beyond the maximum" },
	[LOSS_OBJECTS_UNREADABLE] = { "objects_unreadable", "wait object|s could not be read" },
	[LOSS_STACKS_NO_CFI] = { "stacks_no_cfi",
				 "stack|s truncated: code without call frame information" },
	[LOSS_EVENTS_DROPPED] = { "events_dropped", "event|s dropped: ring buffer full" },
	[LOSS_THREADS_UNTRACKED] = { "threads_untracked",
				     "switch|es of threads beyond the maximum: not booked" },
	[LOSS_SPANS_OVER_MAX] = { "spans_over_max",
				  "block|s beyond the maximum of different ones: without a stack" },
	[LOSS_SPANS_NO_STACK] = { "spans_no_stack",
				  "block|s or samples without a stack: not learned in time" },
	[LOSS_RULES_OVER_MAX] = { "rules_over_max", "unwind rule|s beyond the maximum" },
	[LOSS_EVENTS_MISSED] = { "events_missed",
				 "event|s of the scheduler not told by the kernel" },
	[LOSS_WAKERS_NO_STACK] = { "wakers_no_stack",
				   "block|s whose waker has no stack: not learned in time" },
	[LOSS_PROCESSES_OVER_MAX] = { "processes_over_max",
				      "look|s at processes beyond the maximum: no stacks" },
	[LOSS_FUTEXES_OVER_MAX] = { "futexes_over_max",
				    "futex call|s beyond the maximum of different ones" },
	[LOSS_FUTEXES_UNTRACKED] = { "futexes_untracked",
				     "futex wait|s of threads beyond the maximum" },
	[LOSS_FUTEXES_NO_STACK] = { "futexes_no_stack",
				    "futex call|s without a stack: not learned in time" },
	[LOSS_CODE_UNWATCHED] = { "code_unwatched",
				  "process|es in which this kernel lets code be exchanged unseen" },
	[LOSS_COHORTS_OVER_MAX] = { "cohorts_over_max",
				    "thread|s beyond the maximum of different origins: not grouped" },
	[LOSS_BIRTHS_UNSEEN] = { "births_unseen",
				 "thread|s not seen created: events were dropped" },
	[LOSS_ENDS_UNSEEN] = { "ends_unseen", "thread|s gone, not seen ending" },
	[LOSS_BIRTHS_NO_STACK] = { "births_no_stack",
				   "thread|s created at a stack that could not be had" },
	[LOSS_CODE_OVER_MAX] = { "code_over_max",
				 "change|s of a process's code not looked at: too many" },
	[LOSS_SPANS_LEFT_OUT] = { "spans_left_out",
				  "block|s or samples beyond the maximum of different ones: left out" },
};

const char *loss_name(enum loss loss)
{
	return losses[loss].name;
}

struct loss_words loss_words(enum loss loss, uint64_t cnt)
{
	struct loss_words words;
	size_t len = (size_t)snprintf(words.text, sizeof(words.text), "%" PRIu64 " ", cnt);
	bool skip = false;

	for (const char *at = losses[loss].text; *at && len + 1 < sizeof(words.text); at++) {
		if (*at == '|')
			skip = cnt == 1;
		else if (*at == ' ')
			skip = false;
		if (*at != '|' && !skip)
			words.text[len++] = *at;
	}
	words.text[len] = '\0';
	return words;
}
