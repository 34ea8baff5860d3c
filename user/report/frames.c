/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "report/frames.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "model/birth_funcs.h"
#include "report/words.h"

#define ENTRY_DEPTH_MAX 8     /* frames of libc within the function that creates a thread */
#define FRAMES_MAX (1u << 16) /* of one stack, inlined ones included */

enum { RUNTIME_UNASKED, RUNTIME_NO, RUNTIME_YES };

void frames_init(struct frames *frames)
{
	*frames = (struct frames){ 0 };
	vec_init(&frames->refs, sizeof(struct frame_ref), FRAMES_MAX);
}

void frames_release(struct frames *frames)
{
	vec_release(&frames->refs);
	free(frames->runtime);
	frames->runtime = NULL;
}

/* Asked once a frame: thousands of stacks share their ends. */
static bool frames_is_runtime(struct frames *frames, const struct model *model, uint32_t idx)
{
	const struct model_frame *frame = frames_at(frames, idx)->frame;
	uint8_t *answer;

	if (!frame || frame->kernel)
		return false;
	answer = &frames->runtime[frame - (const struct model_frame *)model->frames.data];
	if (*answer == RUNTIME_UNASKED) {
		const char *module = frame->module ? model_str(model, frame->module) : NULL;

		*answer = wait_is_runtime_frame(model_str(model, frame->func), module) ? RUNTIME_YES
										       : RUNTIME_NO;
	}
	return *answer == RUNTIME_YES;
}

/* Whether the outermost frame, before @end, is the _start of a stripped program: it has no name,
 * and calls libc. */
static bool frames_has_bare_start(struct frames *frames, const struct model *model, uint32_t first,
				  uint32_t end)
{
	const struct model_frame *frame = frames_at(frames, end - 1)->frame;

	return end - first > 2 && frame && !frame->func && !frame->kernel &&
	       frames_is_runtime(frames, model, end - 2);
}

/* Whether the outermost frame, before @end, is the main that Rust makes: it calls the runtime,
 * which calls the program's own main. */
static bool frames_has_rust_main(const struct frames *frames, const struct model *model,
				 uint32_t first, uint32_t end)
{
	static const char runtime[] = "std::rt::lang_start";
	const struct model_frame *outer, *inner;

	if (end - first < 3)
		return false;
	outer = frames_at(frames, end - 1)->frame;
	inner = frames_at(frames, end - 2)->frame;
	return outer && inner && !strcmp(model_str(model, outer->func), "main") &&
	       !strncmp(model_str(model, inner->func), runtime, sizeof(runtime) - 1);
}

static void frames_find_user(struct frames *frames, const struct model *model)
{
	uint32_t first = 0, end = frames->refs.len;

	while (first < end && frames_is_runtime(frames, model, first))
		first++;
	frames->all_runtime = first == end;
	if (frames->all_runtime) {
		first = 0;
	} else if (frames_reach_root(frames)) {
		if (frames_has_bare_start(frames, model, first, end))
			end--;
		while (frames_is_runtime(frames, model, end - 1))
			end--;
		if (frames_has_rust_main(frames, model, first, end))
			for (end--; frames_is_runtime(frames, model, end - 1); end--)
				;
	}
	frames->user_first = first;
	frames->user_end = end;
}

static int frames_load_loc(struct frames *frames, const struct model *model,
			   const struct model_loc *loc, bool guessed)
{
	uint32_t cnt = loc->frame_cnt ? loc->frame_cnt : 1;

	for (uint32_t i = 0; i < cnt; i++) {
		struct frame_ref *ref = vec_push(&frames->refs);

		if (!ref)
			return -errno;
		if (loc->frame_cnt)
			ref->frame = &model_loc_frames(model, loc)[i];
		ref->pc = loc->pc;
		ref->guessed = guessed;
	}
	return 0;
}

int frames_load(struct frames *frames, const struct model *model, uint32_t stack_idx)
{
	const struct model_stack *stack;
	int err = 0;

	vec_clear(&frames->refs);
	frames->quality = frames->end = 0;
	frames->user_first = frames->user_end = 0;
	if (stack_idx == MODEL_NONE)
		return 0;
	if (frames->model != model) {
		free(frames->runtime);
		frames->runtime = calloc((size_t)model->frames.len + 1, 1);
		frames->model = frames->runtime ? model : NULL;
		if (!frames->runtime)
			return -ENOMEM;
	}
	stack = model_stack(model, stack_idx);
	frames->quality = stack->quality;
	frames->end = stack->end;
	for (uint32_t i = 0; i < stack->loc_cnt && !err; i++)
		err = frames_load_loc(frames, model, model_stack_loc(model, stack, i),
				      stack->quality == STACK_GUESSED && i >= stack->guessed_idx);
	if (err == -E2BIG) {
		frames->quality = STACK_TRUNCATED;
		frames->end = STACK_END_TOO_DEEP;
		err = 0;
	}
	frames_find_user(frames, model);
	return err;
}

/* Moves the start of the user's own frames behind what leads into the creation of a thread. */
static void frames_find_creator(struct frames *frames, const struct model *model)
{
	uint32_t first = 0;

	for (uint32_t i = 0; i < frames->user_end && i < ENTRY_DEPTH_MAX && !first; i++) {
		const struct model_frame *frame = frames_at(frames, i)->frame;

		if (frame && birth_is_entry(model_str(model, frame->func)))
			first = i + 1;
	}
	frames->entry_end = first;
	for (; first < frames->user_end; first++) {
		const struct model_frame *frame = frames_at(frames, first)->frame;

		if (!frame ||
		    !birth_is_plumbing(model_str(model, frame->func),
				       frame->module ? model_str(model, frame->module) : NULL))
			break;
	}
	frames->all_runtime = first == frames->user_end;
	frames->user_first = frames->all_runtime ? 0 : first;
	if (frames->all_runtime)
		frames->user_end = frames->refs.len;
}

int frames_load_creator(struct frames *frames, const struct model *model, uint32_t stack)
{
	int err = frames_load(frames, model, stack);

	if (!err)
		frames_find_creator(frames, model);
	return err;
}

bool frame_ref_equals(const struct frame_ref *a, const struct frame_ref *b)
{
	const struct model_frame *x = a->frame, *y = b->frame;

	if (a->guessed != b->guessed || !x != !y)
		return false;
	if (!x)
		return a->pc == b->pc;
	if (!x->func && !x->module)
		return !y->func && !y->module && a->pc == b->pc;
	return x->func == y->func && x->file == y->file && x->line == y->line &&
	       x->module == y->module && x->module_off == y->module_off &&
	       x->func_off == y->func_off && x->inlined == y->inlined && x->kernel == y->kernel;
}

uint64_t frame_ref_hash(const struct frame_ref *ref)
{
	const struct model_frame *frame = ref->frame;

	if (!frame || (!frame->func && !frame->module))
		return hash_mix(ref->guessed, ref->pc);
	return hash_mix(hash_mix(hash_mix(ref->guessed, frame->func), frame->line),
			hash_mix(frame->module, frame->module_off));
}

bool frame_ref_is_alike(const struct frame_ref *a, const struct frame_ref *b)
{
	const struct model_frame *x = a->frame, *y = b->frame;

	if (!x || !y || !x->func || !y->func)
		return frame_ref_equals(a, b);
	return a->guessed == b->guessed && x->func == y->func && x->file == y->file &&
	       x->line == y->line && x->module == y->module && x->inlined == y->inlined &&
	       x->kernel == y->kernel;
}

uint64_t frame_ref_alike_hash(const struct frame_ref *ref)
{
	const struct model_frame *frame = ref->frame;

	if (!frame || !frame->func)
		return frame_ref_hash(ref);
	return hash_mix(hash_mix(hash_mix(ref->guessed, frame->func), frame->line), frame->module);
}

const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

const char *short_path(const char *path)
{
	const char *cut = base_name(path);

	if (cut - path < 2)
		return path;
	for (cut -= 2; cut > path && *cut != '/'; cut--)
		;
	return *cut == '/' ? cut + 1 : path;
}

void frame_put_name(struct buf *buf, const struct model *model, const struct frame_ref *ref,
		    bool full)
{
	const struct model_frame *frame = ref->frame;
	const char *func = frame ? model_str(model, frame->func) : "";
	const char *module = frame ? model_str(model, frame->module) : "";

	if (func[0]) {
		clean_append(buf, func);
	} else if (module[0]) {
		clean_append(buf, full ? module : base_name(module));
		buf_printf(buf, "+0x%" PRIx64, frame->module_off);
	} else {
		buf_printf(buf, "0x%" PRIx64, ref->pc);
	}
}

/* Returns where the parameter list of the C++ function @name, of @len bytes, starts; @len when it
 * has none. "f(int) const" has one, "X::operator()" and "main::{lambda()#1}" have none. */
static size_t params_off(const char *name, size_t len)
{
	static const char *const qualifiers[] = { " const", " volatile", " &", " &&", " noexcept" };
	uint32_t depth = 0;
	size_t end = len;

	for (size_t i = 0; i < sizeof(qualifiers) / sizeof(qualifiers[0]); i++) {
		size_t qualifier_len = strlen(qualifiers[i]);

		if (end > qualifier_len &&
		    !memcmp(name + end - qualifier_len, qualifiers[i], qualifier_len)) {
			end -= qualifier_len;
			i = (size_t)-1;
		}
	}
	if (!end || name[end - 1] != ')')
		return len;
	for (size_t off = end; off-- > 0;) {
		if (name[off] == ')')
			depth++;
		else if (name[off] == '(' && !--depth)
			return !off || (off >= 8 && !memcmp(name + off - 8, "operator", 8)) ? len
											    : off;
	}
	return len;
}

void frame_put_bare_name(struct buf *buf, const struct model *model, const struct frame_ref *ref,
			 bool full)
{
	size_t start = buf->len, len;
	const char *clone;

	frame_put_name(buf, model, ref, full);
	if (!ref->frame || !ref->frame->func || buf->failed)
		return;
	clone = strstr(buf->data + start, " [clone ");
	len = clone ? (size_t)(clone - (buf->data + start)) : buf->len - start;
	buf->len = start + params_off(buf->data + start, len);
	buf->data[buf->len] = '\0';
}

const char *frames_truncation(const struct frames *frames)
{
	static const char *const reasons[] = {
		[STACK_END_UNREADABLE] = "memory unreadable",
		[STACK_END_NO_RULE] = "pc outside every mapping",
		[STACK_END_BAD_FRAME] = "a frame contradicts itself",
		[STACK_END_TOO_DEEP] = "too many frames",
		[STACK_END_COPY_SHORT] = "beyond the copy of the stack",
		[STACK_END_NO_CFI] = "no call frame information",
		[STACK_END_COMPAT] = "32-bit code is not walked",
		[STACK_END_UNLEARNED] = "no rule for it yet",
	};
	size_t end = frames->end;

	if (!frames->quality || frames_reach_root(frames))
		return NULL;
	return end < sizeof(reasons) / sizeof(reasons[0]) && reasons[end] ? reasons[end]
									  : "unknown cause";
}
