/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The locations of a profile: each loc of the model that a sample asks for, with its functions and
 * the mapping that it lies in, written when it is first asked for.
 */
#ifndef REPORT_LOCATIONS_H
#define REPORT_LOCATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/table.h"
#include "base/vec.h"
#include "model/model.h"
#include "report/profile.h"

/* Locations that are no pc, but say something of a stack. */
enum location_mark {
	LOCATION_TRUNCATED,
	LOCATION_GUESSED,
	LOCATION_NO_STACK,
	LOCATION_WOKEN_BY, /* between a stack and that of its waker */
	LOCATION_MARK_CNT,
};

struct locations {
	const struct model *model; /* borrowed, as .profile is */
	struct profile *profile;
	struct buf line;   /* a name being put together */
	struct vec places; /* struct place: the mappings, by id - 1 */
	struct table place_by_module;
	uint32_t program;	/* index of the place of the first process's program, or 0 */
	uint32_t *place_by_loc; /* id; 0: none */
	bool *sent;		/* by id */
};

/* Prepares the locations of @model in @profile, which has to be begun, and writes its mappings.
 * Returns 0 or -ENOMEM; released in either case. */
int locations_init(struct locations *locations, const struct model *model, struct profile *profile);
void locations_release(struct locations *locations);

/* Returns the id of loc @idx of the model; @inverse: for a stack that is upside down. */
uint64_t locations_loc(struct locations *locations, uint32_t idx, bool inverse);

uint64_t locations_mark(struct locations *locations, enum location_mark mark);

/* Returns the number of @text of the model in the profile, made harmless; 0 for "". */
int64_t locations_text(struct locations *locations, uint32_t text);

#endif
