/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Stacks as pcs, each kept once. A snapshot walks many stacks that it later throws away because
 * their threads ran meanwhile; they live here and only those that hold enter the model.
 */
#ifndef COLLECT_STACKSET_H
#define COLLECT_STACKSET_H

#include "base/table.h"
#include "base/vec.h"
#include "model/model.h"
#include "proc/maps.h"
#include "unwind/walk.h"

#define STACKSET_NONE UINT32_MAX

struct stackset {
	struct vec pcs;	   /* uint64_t, the top bit of each set when it is exact */
	struct vec stacks; /* struct model_stack, .first_loc an index in .pcs */
	struct table by_hash;
};

void stackset_init(struct stackset *set);
void stackset_release(struct stackset *set);

/* Returns the index of the stack that @walk found in address space @space (any number that tells
 * processes apart), or STACKSET_NONE when the maximum is reached. */
uint32_t stackset_add(struct stackset *set, uint64_t space, const struct walk *walk);

/* As stackset_add, for the stack at @idx of @from. */
uint32_t stackset_add_of(struct stackset *set, uint64_t space, const struct stackset *from,
			 uint32_t idx);

/* Fills @ret with the walk that found the stack of user code at @idx. */
void stackset_walk(const struct stackset *set, uint32_t idx, struct walk *ret);

/* Adds the stack at @idx to @model as one of @process (MODEL_NONE: kernel code), whose code is as
 * @maps has it (NULL: it does not matter). Returns its index there, or MODEL_NONE (counted in the
 * model's losses). */
uint32_t stackset_to_model(const struct stackset *set, uint32_t idx, struct model *model,
			   uint32_t process, const struct maps *maps);

#endif
