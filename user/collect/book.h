/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The bookkeeping of a recording: everything that a thread did with its time, from the kernel's
 * sums and from what was open at either end of the window, as the model's spans. Conserves time:
 * what a thread lived of the window is blocked, queued or on a CPU.
 */
#ifndef COLLECT_BOOK_H
#define COLLECT_BOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/table.h"
#include "base/vec.h"
#include "bpf/wire.h"
#include "collect/kstacks.h"
#include "collect/snapshot.h"
#include "collect/spaces.h"
#include "model/model.h"

struct futexes;

struct book {
	struct snapshot *snapshot;  /* borrowed: the threads at the window's start */
	struct spaces *spaces;	    /* borrowed */
	struct futexes *futexes;    /* borrowed; NULL: futex calls are not recorded */
	struct kstacks *kstacks;    /* borrowed; NULL: not asked for */
	struct table entry_by_user; /* hash of tid and start -> index of its entry */
	struct stackset stacks;	    /* of the recording */
	struct vec stack_spaces;    /* uint32_t: the number of each one's address space */
	struct vec uses;	    /* struct book_use, each once */
	struct table use_by_key;    /* process and space -> index in .uses */
	struct table use_by_order;  /* process and how many it has before -> likewise */
	struct table use_cnt;	    /* process -> of its uses */
	struct table open_use_cnt;  /* space -> of its uses that are not over */
	struct table stack_by_id;   /* the kernel's id -> index in .stacks */
	struct table open_stacks;   /* hash of tid and id, of blocks that are not over: likewise */
	struct table line_by_key;   /* -> index in .lines */
	struct vec lines;	    /* struct book_line */
	struct vec births;	    /* struct wire_birth */
	struct vec ticks;	    /* struct book_tick */
	struct table tick_by_key;
	struct vec on_cpu;	     /* uint64_t ns, by entry */
	struct vec ops;		     /* uint64_t, by span: see assemble_spans */
	uint64_t start_ns, end_ns;   /* CLOCK_MONOTONIC */
	uint64_t lost_birth_cnt;     /* beyond the maximum */
	uint64_t left_out_cnt;	     /* blocks and samples, likewise */
	uint64_t no_stack_cnt;	     /* blocks and samples whose stack is not known */
	uint64_t no_waker_stack_cnt; /* blocks whose waker's is not, though it was walked */
	uint64_t no_kstack_cnt;	     /* likewise, of the kernel's that were asked for */
};

/* All blocks of one thread at one stack in one system call. */
struct book_line {
	uint32_t entry;
	uint32_t stack;	 /* in .stacks, or in the snapshot's when .from_snapshot */
	uint32_t kstack; /* in .kstacks, likewise; STACKSET_NONE */
	bool from_snapshot;
	bool open;
	int32_t syscall_nr;
	uint32_t syscall_op;
	uint32_t waker_stack; /* in .stacks; STACKSET_NONE */
	uint32_t waker_tid;   /* 0: not known */
	struct wire_span sum;
};

/* A process had stacks in an address space. */
struct book_use {
	uint32_t tgid;
	uint32_t space;
	bool is_over; /* the stacks are named */
};

struct book_tick {
	uint32_t entry;
	uint32_t stack; /* STACKSET_NONE: not known */
	uint32_t kstack;
	uint32_t cnt;
};

static inline struct entry *book_entry(const struct book *book, uint32_t idx)
{
	return vec_at(&book->snapshot->entries, idx);
}

void book_init(struct book *book, struct snapshot *snapshot, struct spaces *spaces);
void book_release(struct book *book);

/* Notes the threads of the snapshot. Call again after adding entries. Returns 0 or -errno. */
int book_index_entries(struct book *book);

/* Finds the entry of the thread @tid that started at @start_us (low half), or of any thread of that
 * id when it is 0. */
bool book_find_entry(const struct book *book, uint32_t tid, uint32_t start_us, uint32_t *ret_entry);

/* Notes that the kernel's stack @id is @walk in address space @space. */
void book_add_stack(struct book *book, uint64_t id, uint32_t space, const struct walk *walk);

/* Keeps stack @idx of @from, walked in address space @space, as one of the book's. Returns its
 * index there, STACKSET_NONE for want of room. */
uint32_t book_keep_stack(struct book *book, uint32_t space, const struct stackset *from,
			 uint32_t idx);

/* As book_keep_stack, as that of the block that thread @tid is still in, and whose stack the kernel
 * knows as @id. Returns 0, -E2BIG or -ENOMEM. */
int book_keep_open(struct book *book, uint32_t tid, uint64_t id, uint32_t space,
		   const struct stackset *from, uint32_t idx);

/* Finds the stack of the block that thread @tid is still in by the kernel's id of it. */
bool book_find_open(const struct book *book, uint32_t tid, uint64_t id, uint32_t *ret_stack);

/* Notes that a thread was created. */
void book_add_birth(struct book *book, const struct wire_birth *birth);

/* Notes a tick of the CPU clock. One for which there is no room is counted. */
void book_add_tick(struct book *book, const struct wire_tick *tick);

/* Books a sum of the kernel's. Returns 0 or -ENOMEM; what is beyond the maximum is counted. */
int book_add_span(struct book *book, const struct wire_span_key *key, const struct wire_span *span);

/* Books what of @run is in no sum: until its first event, and since its last. @entry: its thread's;
 * @run NULL: a thread without any event in the window. Returns as book_add_span does. */
int book_add_run(struct book *book, uint32_t entry, const struct wire_run *run, bool ended);

/* -- book_model.c -- */

/* Adds it all to @model: the .add of struct assemble_spans, with the book as its argument. */
int book_to_model(void *book, struct model *model, const uint32_t *thread_of_entry);

/* Likewise, only who created each thread. */
int book_births_to_model(void *book, struct model *model, const uint32_t *thread_of_entry);

/* Adds stack @idx of the book to @model as one of @process. Returns its index, or MODEL_NONE
 * (counted in the model's losses). */
uint32_t book_stack_to_model(struct book *book, uint32_t idx, struct model *model,
			     uint32_t process);

/* The .space and .close_space of struct assemble_spans. */
struct target *book_space(void *book, uint32_t tgid, uint32_t i);
void book_close_space(void *book, uint32_t tgid, uint32_t i);

#endif
