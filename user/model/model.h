/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What loiter knows after looking: processes, threads, stacks, frames, losses. Pure data: no I/O,
 * no clock. Every report is a function of it, and a capture file is its encoding.
 *
 *   process 1--n thread --> stack --n--> loc --n--> frame
 *
 * A loc is one pc of one process; its frames are the functions there, inlined ones first. A stack
 * is a run of locs, leaf first, shared by all threads of a process that have it. Everything refers
 * by index, MODEL_NONE where there is nothing; strings are ids of .strings, 0 where there is none.
 * Mappings say which part of which file a loc lies in, for those who read code by address. Births
 * say who created those threads whose creation was seen, futexes who waits where on which and who
 * wakes them, cohorts how many threads came and went over a while.
 *
 *   life cycle  model_init, model_release
 *   building    model_add_process, model_add_thread, model_add_birth, model_intern_loc,
 * model_intern_stack, model_set_loc_frames, model_sort queries     model_process, model_thread,
 * model_stack, model_stack_loc, model_loc_frames, model_find_mapping, model_str
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strpool.h"
#include "base/table.h"
#include "base/vec.h"
#include "model/loss.h"
#include "model/wait.h"

#define MODEL_NONE UINT32_MAX
#define MODEL_STACK_MAX 512 /* locs in a stack */
#define MODEL_THREAD_MAX (1u << 20)
#define MODEL_LOC_MAX (4u << 20)
#define MODEL_SPAN_MAX (1u << 20)
#define MODEL_COHORT_MAX (1u << 16)
#define MODEL_COHORT_POINT_MAX 65 /* counts of a cohort over the window */

enum thread_state {
	THREAD_RUNNING = 1,
	THREAD_RUNNABLE = 2,
	THREAD_BLOCKED = 3,
	THREAD_STOPPED = 4,
	THREAD_ZOMBIE = 5,
};

/* How far a stack can be trusted; a stack that is not complete says so in every report. */
enum stack_quality {
	STACK_COMPLETE = 1,  /* walked by rules to the thread's first frame */
	STACK_TRUNCATED = 2, /* right as far as it goes; .end says why it stops */
	STACK_GUESSED = 3,   /* from .guessed_idx on by frame pointers, without CFI */
};

/* Why a walk ended. */
enum stack_end {
	STACK_END_ROOT = 1,	  /* the outermost frame, as its CFI says */
	STACK_END_UNREADABLE = 2, /* memory could not be read */
	STACK_END_NO_RULE = 3,	  /* pc outside every executable mapping */
	STACK_END_BAD_FRAME = 4,  /* the frame contradicts itself */
	STACK_END_TOO_DEEP = 5,
	STACK_END_COPY_SHORT = 6, /* the copy of a running thread's stack ended */
	STACK_END_NO_CFI = 7,	  /* no call frame information, and no frame pointer that holds */
	STACK_END_COMPAT = 8,	  /* 32-bit code, which is not walked */
	STACK_END_UNLEARNED = 9,  /* of a recording: the kernel had no rule for the pc yet */
};

struct model_frame {
	uint64_t func_off;   /* bytes from the function's start; 0 and meaningless when inlined */
	uint64_t module_off; /* the pc as the module's file numbers it */
	uint32_t func;	     /* demangled; 0: no symbol covers the pc */
	uint32_t file;
	uint32_t module; /* path; 0: none */
	uint32_t line;	 /* 0: unknown */
	bool inlined;
	bool kernel;
};

struct model_loc {
	uint64_t pc;
	uint32_t process; /* index; MODEL_NONE for kernel code */
	uint32_t first_frame;
	uint32_t frame_cnt; /* 0 until symbolized */
	uint32_t code;	    /* only while building: see model_intern_loc */
	bool exact;	    /* the pc itself, not a return address: look up pc, not pc - 1 */
};

struct model_stack {
	uint32_t first_loc; /* in .stack_locs */
	uint32_t loc_cnt;
	uint8_t quality;      /* enum stack_quality */
	uint8_t end;	      /* enum stack_end */
	uint16_t guessed_idx; /* first guessed loc, when .quality is STACK_GUESSED */
};

struct model_thread {
	uint64_t start_ns;	 /* CLOCK_BOOTTIME */
	uint64_t age_ns;	 /* since it last ran; 0 when running */
	uint64_t run_cnt;	 /* times it was switched out in its life */
	int64_t timeout_left_ns; /* of the wait; negative when it is overdue */
	uint64_t watched_ns;	 /* since the first look that saw it where it is; 0: the only one */
	uint64_t watched_runs;	 /* times it was switched out in them */
	uint32_t process;
	uint32_t tid;
	uint32_t comm;
	uint32_t stack;	  /* MODEL_NONE: none */
	uint32_t kstack;  /* MODEL_NONE: none */
	uint32_t object;  /* what it waits for, in words */
	uint32_t syscall; /* name; 0: not in a system call */
	uint32_t birth;	  /* index; MODEL_NONE: it was created before anybody looked */
	uint32_t cohort;  /* index; MODEL_NONE: threads are not counted by cohort */
	uint8_t state;	  /* enum thread_state */
	uint8_t wait;	  /* enum wait_kind */
	bool has_timeout;
	bool raced;	/* ran in every pass: no stack of it could be trusted */
	bool has_moved; /* of one that is watched: it was at work at another place before */
};

enum span_kind {
	SPAN_BLOCKED = 1,   /* from the switch out to the wakeup */
	SPAN_RUN_QUEUE = 2, /* from the wakeup, or from being preempted, to the switch in */
	SPAN_ON_CPU = 3,
};

#define SPAN_HIST_CNT 28 /* buckets: [0] below 1 us, [i] from 2^(i-1) us on, the last open */

/* All the time that one thread spent in one way during a recording. */
struct model_span {
	uint64_t total_ns;
	uint64_t max_ns; /* the longest single one */
	uint64_t cnt;
	uint32_t thread;      /* index */
	uint32_t stack;	      /* where it blocked, or ran; MODEL_NONE: not known */
	uint32_t kstack;      /* the kernel's part of it; MODEL_NONE: none, or not asked */
	uint32_t waker_stack; /* of the thread that woke it; MODEL_NONE: not known or not asked */
	uint32_t waker;	      /* the waker's name; 0: not known or not asked */
	uint32_t syscall;     /* name; 0: not in a system call */
	uint8_t kind;	      /* enum span_kind */
	uint8_t wait;	      /* enum wait_kind, for SPAN_BLOCKED */
	bool open;	      /* it had not ended when the recording did */
	uint32_t hist[SPAN_HIST_CNT]; /* single ones by duration */
};

/* What futex calls do. */
enum futex_kind {
	FUTEX_WAITS = 1,
	FUTEX_WAITS_ANY = 2, /* for any of several: told of the one that woke it, or the first */
	FUTEX_LOCKS_PI = 3,  /* takes a lock with priority inheritance */
	FUTEX_WAITS_REQUEUE_PI = 4, /* waits until it is moved to such a lock */
	FUTEX_WAKES = 5,
	FUTEX_WAKES_OP = 6, /* also threads that wait for a second one, on a condition */
	FUTEX_UNLOCKS_PI = 7,
	FUTEX_MOVES = 8, /* wakes some and lets others wait for a second one */
};

/* All calls at one stack, by any thread of a process, of one kind for one futex. */
struct model_futex {
	uint64_t addr;
	uint64_t cnt;
	uint64_t total_ns, max_ns; /* of those that wait: from the call to its return */
	uint64_t timeout_cnt;	   /* waits that ended with their time */
	uint64_t changed_cnt;	   /* waits that found another value than expected */
	uint64_t interrupted_cnt;  /* waits that a signal ended */
	uint64_t failed_cnt;	   /* calls that failed in any other way */
	uint64_t woken_cnt;	   /* threads that were woken */
	uint64_t moved_cnt;	   /* threads that wait for another futex from then on */
	uint64_t nobody_cnt;	   /* calls that neither woke nor moved a thread */
	uint32_t open_cnt;	   /* waits that had not ended when the recording did */
	uint32_t process;
	uint32_t name;	/* what is at .addr; 0: not known */
	uint32_t stack; /* MODEL_NONE: not known */
	uint8_t kind;	/* enum futex_kind */
	uint8_t wait;	/* enum wait_kind, of those that wait */
	bool is_shared; /* with other processes */
};

static inline bool futex_kind_waits(uint8_t kind)
{
	return kind >= FUTEX_WAITS && kind <= FUTEX_WAITS_REQUEUE_PI;
}

/* How a thread came to be. */
struct model_birth {
	uint32_t thread; /* index */
	uint32_t creator_tid;
	uint32_t creator_tgid; /* another process than the thread's when it is the main thread */
	uint32_t creator_comm;
	uint32_t stack; /* of the creator as it made the thread; MODEL_NONE: not known */
};

/* Threads of one process that were created at one stack, and were last seen blocked at one place. A
 * thread is in one of them, with its whole life, wherever it was before. */
struct model_cohort {
	uint64_t alive_start, born, ended; /* over the window; the rest is alive at its end */
	uint64_t left;	  /* of those alive: they waited when their process ended, whose
			   * main thread does not count */
	uint32_t process; /* the creator's, where it is known */
	uint32_t creator; /* stack of the creator; MODEL_NONE: not known */
	uint32_t stack;	  /* where they are blocked; MODEL_NONE: not seen blocked */
	uint32_t syscall; /* name, of that; 0: none */
	uint8_t wait;	  /* enum wait_kind, of that */
	bool is_older;	  /* they were created before loiter came */
	bool is_forked;	  /* main threads of processes that the process has forked */
};

static inline uint64_t model_cohort_alive(const struct model_cohort *cohort)
{
	return cohort->alive_start + cohort->born - cohort->ended;
}

/* What bounds the number of threads. Values are stored in captures: never renumbered. */
enum limit_kind {
	LIMIT_NPROC = 1,    /* RLIMIT_NPROC: threads of a user */
	LIMIT_PIDS_MAX = 2, /* pids.max of a cgroup */
	LIMIT_THREADS = 3,  /* threads-max of the kernel */
	LIMIT_PID_MAX = 4,  /* of the kernel */
};

struct model_limit {
	uint64_t max, used; /* threads */
	uint32_t process;
	uint32_t name; /* whose: of the cgroup; 0 */
	uint8_t kind;  /* enum limit_kind */
};

/* A part of a file, as a process has it mapped, with locs in it. */
struct model_mapping {
	uint64_t start_addr;
	uint64_t end_addr; /* first address behind it */
	uint64_t file_off;
	uint32_t process;
	uint32_t path;
	uint32_t build_id; /* in hex; 0: has none, or it could not be had */
};

struct model_process {
	uint64_t start_ns; /* CLOCK_BOOTTIME */
	uint32_t tgid;
	uint32_t comm;
	uint32_t exe;
	uint32_t first_thread; /* after model_sort: its threads are one run, by tid */
	uint32_t thread_cnt;
	bool has_ended;	 /* its threads are those that it ended with */
	bool from_birth; /* it was watched from its birth on */
};

/* How a model is looked up in while it is built. They hold numbers of processes, which model_sort
 * changes. */
struct model_indices {
	struct table process_by_tgid; /* the first one of that id */
	struct table loc_by_pc;
	struct table loc_by_code;	  /* one with frames, of all processes */
	struct table first_loc, last_loc; /* by process */
	struct vec next_loc;		  /* uint32_t, by loc: see model_next_loc */
};

struct model {
	struct strpool strings;
	struct vec processes;	  /* struct model_process */
	struct vec threads;	  /* struct model_thread */
	struct vec stacks;	  /* struct model_stack */
	struct vec stack_locs;	  /* uint32_t: index of a loc */
	struct vec locs;	  /* struct model_loc */
	struct vec frames;	  /* struct model_frame */
	struct vec spans;	  /* struct model_span; empty in a snapshot */
	struct vec births;	  /* struct model_birth, one a thread at most */
	struct vec futexes;	  /* struct model_futex */
	struct vec cohorts;	  /* struct model_cohort */
	struct vec cohort_points; /* uint32_t: how many are alive, .point_cnt for each cohort */
	struct vec limits;	  /* struct model_limit */
	struct vec mappings; /* struct model_mapping; after model_sort by process and address */
	struct model_indices indices; /* only while building */
	struct table stack_by_hash;
	uint64_t losses[LOSS_CNT];
	uint64_t wall_ns;   /* CLOCK_REALTIME of the snapshot, or of the window's start */
	uint64_t boot_ns;   /* CLOCK_BOOTTIME of the same moment */
	uint64_t window_ns; /* how long was recorded; 0: a snapshot */
	/* Of threads counted by cohort up to the snapshot: */
	uint64_t watch_ns; /* for how long; 0: they were not */
	uint64_t point_ns; /* from one of the points to the next; the last is at the end */
	uint64_t folded_born, folded_ended; /* of processes that have ended, in no cohort */
	uint32_t point_cnt;
	int32_t utc_offset_s;	 /* of the place where it was taken */
	uint32_t loiter_version; /* string */
	uint32_t host;		 /* string */
	uint32_t kernel;	 /* string: release */
	bool has_futexes;	 /* they were recorded, if there were any */
};

void model_init(struct model *model);
void model_release(struct model *model);

/* Returns the new process's index, or MODEL_NONE (maximum reached, no memory). */
uint32_t model_add_process(struct model *model, uint32_t tgid, uint64_t start_ns);

/* Returns the index of the first process with @tgid, or MODEL_NONE. Only before model_sort. */
uint32_t model_find_process(const struct model *model, uint32_t tgid);

/* Returns a new thread, zeroed but for its indices, or NULL; valid until the next one is added. */
struct model_thread *model_add_thread(struct model *model, uint32_t process, uint32_t tid);

/* Notes that @thread was created, which happens once. Returns the birth, to be filled, valid until
 * the next one is added; NULL when memory ran out. */
struct model_birth *model_add_birth(struct model *model, uint32_t thread);

/* Returns a new cohort, with no stacks and its points at 0; valid until the next one is added. NULL
 * when memory ran out, or the maximum is reached. */
struct model_cohort *model_add_cohort(struct model *model, uint32_t process);

/* Returns the index of the loc of @pc in @process (MODEL_NONE: kernel), or MODEL_NONE. @code: any
 * number that tells apart what stood at one address one after the other (exec, dlclose), so that
 * each gets names of its own. */
uint32_t model_intern_loc(struct model *model, uint32_t process, uint32_t code, uint64_t pc,
			  bool exact);

/* Returns the index of the stack with these @loc_cnt locs, leaf first, and these qualities, or
 * MODEL_NONE (maximum reached: counted). */
uint32_t model_intern_stack(struct model *model, const uint32_t *locs, uint32_t loc_cnt,
			    enum stack_quality quality, enum stack_end end, uint16_t guessed_idx);

/* Return the index of the first loc of @process, and of the one after @loc of the same process, in
 * the order in which they came; MODEL_NONE when there is none. Only before model_sort. */
uint32_t model_first_loc(const struct model *model, uint32_t process);
uint32_t model_next_loc(const struct model *model, uint32_t loc);

/* Gives @loc its @cnt frames, inlined ones first. Returns 0, -E2BIG or -ENOMEM. */
int model_set_loc_frames(struct model *model, uint32_t loc, const struct model_frame *frames,
			 uint32_t cnt);

/* Gives @loc the frames of one at the same address of the same code in another process, if one was
 * named before: of forked processes each pc is looked up once. Returns whether there was one. */
bool model_share_frames(struct model *model, uint32_t loc);

/* Orders processes by tgid, threads by (process, tid) and mappings by (process, address), and sets
 * the processes' runs. Returns 0 or -ENOMEM. */
int model_sort(struct model *model);

/* Returns the index of the mapping that @loc lies in, of the file that its frames are of if it has
 * any, or MODEL_NONE. Only after model_sort. */
uint32_t model_find_mapping(const struct model *model, const struct model_loc *loc);

static inline struct model_process *model_process(const struct model *model, uint32_t idx)
{
	return vec_at(&model->processes, idx);
}

static inline struct model_thread *model_thread(const struct model *model, uint32_t idx)
{
	return vec_at(&model->threads, idx);
}

/* Returns how @thread came to be, NULL when nobody saw it. */
static inline const struct model_birth *model_birth_of(const struct model *model,
						       const struct model_thread *thread)
{
	return thread->birth == MODEL_NONE ? NULL : vec_at(&model->births, thread->birth);
}

static inline struct model_span *model_span(const struct model *model, uint32_t idx)
{
	return vec_at(&model->spans, idx);
}

static inline struct model_futex *model_futex(const struct model *model, uint32_t idx)
{
	return vec_at(&model->futexes, idx);
}

static inline struct model_stack *model_stack(const struct model *model, uint32_t idx)
{
	return vec_at(&model->stacks, idx);
}

static inline struct model_loc *model_loc(const struct model *model, uint32_t idx)
{
	return vec_at(&model->locs, idx);
}

static inline struct model_mapping *model_mapping(const struct model *model, uint32_t idx)
{
	return vec_at(&model->mappings, idx);
}

static inline struct model_cohort *model_cohort(const struct model *model, uint32_t idx)
{
	return vec_at(&model->cohorts, idx);
}

/* Returns the points of cohort @idx: .point_cnt of them. */
static inline uint32_t *model_cohort_points(const struct model *model, uint32_t idx)
{
	return vec_at(&model->cohort_points, idx * model->point_cnt);
}

/* Returns the address to look @loc up by: of a return address, within the call before it. */
static inline uint64_t model_loc_addr(const struct model_loc *loc)
{
	return loc->exact || !loc->pc ? loc->pc : loc->pc - 1;
}

/* Returns loc @i of @stack, leaf first. */
static inline struct model_loc *model_stack_loc(const struct model *model,
						const struct model_stack *stack, uint32_t i)
{
	return model_loc(model, *(uint32_t *)vec_at(&model->stack_locs, stack->first_loc + i));
}

/* Returns the frames of @loc (loc->frame_cnt of them). */
static inline const struct model_frame *model_loc_frames(const struct model *model,
							 const struct model_loc *loc)
{
	return vec_at(&model->frames, loc->first_frame);
}

static inline const char *model_str(const struct model *model, uint32_t id)
{
	return strpool_get(&model->strings, id);
}

#endif
