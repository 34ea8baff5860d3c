/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "report/shape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int shapes_init(struct shapes *shapes, const struct model *model, enum shape_of of)
{
	size_t bytes = ((size_t)model->stacks.len + 1) * sizeof(shapes->by_stack[0]);

	*shapes = (struct shapes){ .model = model, .of = of };
	table_init(&shapes->by_hash, MODEL_THREAD_MAX);
	frames_init(&shapes->frames);
	frames_init(&shapes->other);
	shapes->by_stack = malloc(bytes);
	if (!shapes->by_stack)
		return -ENOMEM;
	memset(shapes->by_stack, 0xff, bytes);
	return 0;
}

void shapes_release(struct shapes *shapes)
{
	table_release(&shapes->by_hash);
	frames_release(&shapes->frames);
	frames_release(&shapes->other);
	free(shapes->by_stack);
	shapes->by_stack = NULL;
}

static uint32_t shown_first(const struct shapes *shapes, const struct frames *frames)
{
	return shapes->of == SHAPE_OF_ALL ? 0 : frames->user_first;
}

static uint32_t shown_end(const struct shapes *shapes, const struct frames *frames)
{
	return shapes->of == SHAPE_OF_USER || shapes->of == SHAPE_OF_CREATOR ? frames->user_end
									     : frames->refs.len;
}

static int shapes_load(const struct shapes *shapes, struct frames *frames, uint32_t stack)
{
	return shapes->of == SHAPE_OF_CREATOR ? frames_load_creator(frames, shapes->model, stack)
					      : frames_load(frames, shapes->model, stack);
}

static bool shape_equals(const struct shapes *shapes, const struct frames *a,
			 const struct frames *b)
{
	uint32_t a_first = shown_first(shapes, a), b_first = shown_first(shapes, b);
	uint32_t cnt = shown_end(shapes, a) - a_first;

	if (a->quality != b->quality || a->end != b->end || cnt != shown_end(shapes, b) - b_first)
		return false;
	for (uint32_t i = 0; i < cnt; i++) {
		const struct frame_ref *x = frames_at(a, a_first + i);
		const struct frame_ref *y = frames_at(b, b_first + i);

		if (!(shapes->by_line ? frame_ref_is_alike(x, y) : frame_ref_equals(x, y)))
			return false;
	}
	return true;
}

static uint64_t shape_hash(const struct shapes *shapes, const struct frames *frames)
{
	uint64_t hash = hash_mix(frames->quality, frames->end);

	for (uint32_t i = shown_first(shapes, frames); i < shown_end(shapes, frames); i++) {
		const struct frame_ref *ref = frames_at(frames, i);

		hash = hash_mix(hash,
				shapes->by_line ? frame_ref_alike_hash(ref) : frame_ref_hash(ref));
	}
	return hash;
}

int shapes_find(struct shapes *shapes, uint32_t stack, uint32_t *ret_shape)
{
	uint32_t shape = MODEL_NONE;
	uint64_t hash;
	int err;

	*ret_shape = stack;
	if (stack == MODEL_NONE)
		return 0;
	if (shapes->by_stack[stack] != MODEL_NONE) {
		*ret_shape = shapes->by_stack[stack];
		return 0;
	}
	err = shapes_load(shapes, &shapes->frames, stack);
	if (err)
		return err;
	hash = shape_hash(shapes, &shapes->frames);
	for (; table_find(&shapes->by_hash, hash, &shape); hash++) {
		err = shapes_load(shapes, &shapes->other, shape);
		if (err)
			return err;
		if (shape_equals(shapes, &shapes->frames, &shapes->other)) {
			*ret_shape = shapes->by_stack[stack] = shape;
			return 0;
		}
	}
	shapes->by_stack[stack] = stack;
	return table_put(&shapes->by_hash, hash, stack);
}
