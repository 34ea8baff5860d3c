/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The frames of one stack as reports walk them: leaf first, inlined ones before the frame they are
 * part of, and which of them are the user's own.
 *
 *   refs[0 .. user_first)         plumbing of libc and the runtime that leads into the wait
 *   refs[user_first .. user_end)  the user's own
 *   refs[user_end .. len)         plumbing that started the thread
 *
 * When all of it is plumbing, all of it counts as the user's own. Of a stack whose outer frames
 * are missing none are taken for the start of the thread. Of the stack of a creator, the plumbing
 * is what leads into the creation.
 */
#ifndef REPORT_FRAMES_H
#define REPORT_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/vec.h"
#include "model/model.h"

struct frame_ref {
	const struct model_frame *frame; /* NULL: nothing is known but the pc */
	uint64_t pc;
	bool guessed;
};

struct frames {
	struct vec refs; /* struct frame_ref */
	uint32_t user_first;
	uint32_t user_end;
	uint32_t entry_end; /* of a creator's stack: behind what it creates a thread by calling */
	bool all_runtime;   /* nothing but plumbing */
	uint8_t quality;    /* enum stack_quality; 0: there is no stack */
	uint8_t end;	    /* enum stack_end */
	uint8_t *runtime;   /* by index of model_frame: whether it is plumbing, once asked */
	const void *model;  /* that .runtime speaks of */
};

void frames_init(struct frames *frames);
void frames_release(struct frames *frames);

/* Loads stack @stack of @model (MODEL_NONE: no frames), in place of the one before.
 * Returns 0 or -ENOMEM. */
int frames_load(struct frames *frames, const struct model *model, uint32_t stack);

/* As frames_load, of a stack in which a thread or process was created. */
int frames_load_creator(struct frames *frames, const struct model *model, uint32_t stack);

static inline const struct frame_ref *frames_at(const struct frames *frames, uint32_t idx)
{
	return vec_at(&frames->refs, idx);
}

/* Returns the innermost of the user's own frames, or NULL when there are none. */
static inline const struct frame_ref *frames_own(const struct frames *frames)
{
	return frames->all_runtime ? NULL : frames_at(frames, frames->user_first);
}

/* Returns the frame of a creator's stack to name it by: its own, or the one that calls libc to
 * create a thread where that is plumbing as well; NULL when there is none. */
static inline const struct frame_ref *frames_creator(const struct frames *frames)
{
	if (!frames->all_runtime)
		return frames->refs.len ? frames_at(frames, frames->user_first) : NULL;
	return frames->entry_end && frames->entry_end < frames->refs.len
		       ? frames_at(frames, frames->entry_end)
		       : NULL;
}

/* Whether the outermost frame is the thread's first. */
static inline bool frames_reach_root(const struct frames *frames)
{
	return frames->quality == STACK_COMPLETE || frames->end == STACK_END_ROOT;
}

/* Whether two frames read the same in every report. */
bool frame_ref_equals(const struct frame_ref *a, const struct frame_ref *b);
uint64_t frame_ref_hash(const struct frame_ref *ref);

/* Likewise of frames that may be at different instructions of one line, or of one function whose
 * lines are not known. */
bool frame_ref_is_alike(const struct frame_ref *a, const struct frame_ref *b);
uint64_t frame_ref_alike_hash(const struct frame_ref *ref);

/* Appends the function's name, else "module+0x1234", else "0xpc"; @full: the module's whole path.
 * What is appended is clean. */
void frame_put_name(struct buf *buf, const struct model *model, const struct frame_ref *ref,
		    bool full);

/* As frame_put_name, without the parameter list that C++ symbols carry. */
void frame_put_bare_name(struct buf *buf, const struct model *model, const struct frame_ref *ref,
			 bool full);

/* Returns why the outer frames of @frames are missing, or NULL when they are not. */
const char *frames_truncation(const struct frames *frames);

/* Returns the last two components of @path, of which @path is left as it is when it has fewer. */
const char *short_path(const char *path);
const char *base_name(const char *path);

#endif
