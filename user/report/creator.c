/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "report/creator.h"

int creators_init(struct creators *creators, const struct model *model, bool all)
{
	*creators = (struct creators){ .stack = MODEL_NONE, .shape = MODEL_NONE };
	return shapes_init(&creators->shapes, model, all ? SHAPE_OF_ALL : SHAPE_OF_CREATOR);
}

void creators_release(struct creators *creators)
{
	shapes_release(&creators->shapes);
}

/* Asks for @stack, unless it was the last. */
static int creators_ask(struct creators *creators, uint32_t stack)
{
	struct shapes *shapes = &creators->shapes;
	int err;

	if (stack == creators->stack)
		return 0;
	creators->stack = MODEL_NONE;
	creators->has_own = false;
	err = shapes_find(shapes, stack, &creators->shape);
	if (!err)
		err = frames_load_creator(&shapes->frames, shapes->model, stack);
	if (err)
		return err;
	creators->has_own = frames_own(&shapes->frames) != NULL;
	creators->stack = stack;
	return 0;
}

int creators_find(struct creators *creators, const struct model_thread *thread, struct creator *ret)
{
	const struct model *model = creators->shapes.model;
	const struct model_birth *birth = model_birth_of(model, thread);
	int err;

	*ret = (struct creator){ .stack = MODEL_NONE };
	if (!birth)
		return 0;
	err = creators_ask(creators, birth->stack);
	if (err)
		return err;
	ret->known = true;
	ret->stack = creators->shape;
	ret->tid = creators->has_own ? 0 : birth->creator_tid;
	ret->tgid = creator_is_foreign(model, thread, birth) ? birth->creator_tgid : 0;
	return 0;
}

bool creator_equals(const struct creator *a, const struct creator *b)
{
	return a->stack == b->stack && a->tid == b->tid && a->tgid == b->tgid &&
	       a->known == b->known;
}

uint64_t creator_hash(const struct creator *creator)
{
	return hash_mix(hash_mix(creator->stack, creator->tid),
			(uint64_t)creator->tgid << 1 | creator->known);
}

bool creator_is_foreign(const struct model *model, const struct model_thread *thread,
			const struct model_birth *birth)
{
	return birth->creator_tgid &&
	       birth->creator_tgid != model_process(model, thread->process)->tgid;
}
