/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Everything that loiter can fail to see has a name and a counter here. A report prints each that
 * is not zero; docs/LIMITS.md explains them. Values are stored in captures: never renumbered.
 */
#ifndef MODEL_LOSS_H
#define MODEL_LOSS_H

#include <stdint.h>

enum loss {
	LOSS_THREADS_EXITED,	   /* ended while the snapshot was taken: not in the report */
	LOSS_THREADS_RACED,	   /* ran in every pass and in no sample: no stack */
	LOSS_THREADS_OVER_MAX,	   /* beyond the maximum of threads */
	LOSS_RECORDS_BAD,	   /* records from the kernel that failed validation */
	LOSS_SAMPLES_DROPPED,	   /* ring buffer full */
	LOSS_STACKS_UNREADABLE,	   /* the stack's memory could not be read */
	LOSS_STACKS_NO_RULE,	   /* stopped at a pc in no known mapping */
	LOSS_STACKS_BAD_FRAME,	   /* stopped at a frame that contradicts itself */
	LOSS_STACKS_TOO_DEEP,	   /* more frames than are kept */
	LOSS_STACKS_COPY_SHORT,	   /* a sample's stack copy ended before the stack did */
	LOSS_STACKS_COMPAT,	   /* 32-bit code, which is not walked */
	LOSS_STACKS_OVER_MAX,	   /* beyond the maximum of distinct stacks or frames */
	LOSS_STACKS_GUESSED,	   /* a frame without call frame information: by frame pointer */
	LOSS_MODULES_UNREADABLE,   /* an ELF file of the target could not be read */
	LOSS_MODULES_CHANGED,	   /* the file on disk is not the one that is mapped */
	LOSS_SYMBOLS_UNREADABLE,   /* symbol or line tables that could not be read */
	LOSS_KSTACKS_MISSING,	   /* kernel stacks asked for and not had */
	LOSS_AGES_UNCALIBRATED,	   /* ages without a clock calibration: may be some ms off */
	LOSS_PROCESSES_UNREADABLE, /* processes whose maps could not be read */
	LOSS_STRINGS_OVER_MAX,	   /* names beyond the maximum */
	LOSS_OBJECTS_UNREADABLE,   /* what a thread waits for could not be read */
	LOSS_STACKS_NO_CFI,	   /* stopped at code without call frame information */
	LOSS_EVENTS_DROPPED,	   /* of a recording: ring buffer full */
	LOSS_THREADS_UNTRACKED,	   /* of a recording: the table of threads was full */
	LOSS_SPANS_OVER_MAX,	   /* of a recording: the table of sums was full */
	LOSS_SPANS_NO_STACK, /* of a recording: blocks, samples whose stack was not learned in time
			      */
	LOSS_RULES_OVER_MAX, /* of a recording: the table of unwind rules was full */
	LOSS_EVENTS_MISSED,  /* of a recording: events that the kernel did not tell */
	LOSS_PROCESSES_OVER_MAX, /* of a recording: the table of processes was full */
	LOSS_WAKERS_NO_STACK,	 /* of a recording: wakers whose stack was not learned in time */
	LOSS_FUTEXES_OVER_MAX,	 /* of a recording: the table of futex calls was full */
	LOSS_FUTEXES_UNTRACKED,	 /* of a recording: the table of waiting threads was full */
	LOSS_FUTEXES_NO_STACK,	 /* of a recording: futex calls whose stack was not learned */
	LOSS_CODE_UNWATCHED,   /* of a recording: processes whose code may be exchanged unnoticed */
	LOSS_COHORTS_OVER_MAX, /* of leaks: threads beyond the maximum of different origins */
	LOSS_BIRTHS_UNSEEN,    /* of leaks: threads that were met, but not seen created */
	LOSS_ENDS_UNSEEN,      /* of leaks: threads that were gone, but not seen ending */
	LOSS_BIRTHS_NO_STACK,  /* of leaks: threads whose creator's stack was not learned */
	LOSS_CODE_OVER_MAX,    /* of a recording: changes of a process's code that were not read */
	LOSS_SPANS_LEFT_OUT, /* of a recording: blocks, samples beyond the maximum in user space */
	LOSS_CNT,
};

/* Returns the stable snake_case name of @loss, as in the JSON report. */
const char *loss_name(enum loss loss);

/* Short text by value. */
struct loss_words {
	char text[128];
};

/* Returns "2 threads ended during the snapshot", or "1 thread ...". */
struct loss_words loss_words(enum loss loss, uint64_t cnt);

#endif
