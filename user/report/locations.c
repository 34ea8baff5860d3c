/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "report/locations.h"

#include <errno.h>
#include <stdlib.h>

#include "report/frames.h"
#include "report/words.h"

#define INLINE_MAX 256 /* functions at one pc: the symbolizer finds far fewer */

/* A mapping of the profile: one of the model's, or a module of which no more than its name is
 * known (the kernel's, JIT code). */
struct place {
	const struct model_mapping *mapping; /* NULL: .module is all */
	uint32_t module;
	uint64_t bias; /* address in the process less the file's own; 0 when no loc tells it */
	bool has_filenames, has_line_numbers, has_inline_frames;
};

/* The ids of locations, which count from 1. */
enum ids { IDS_LOCS, IDS_INVERSE, IDS_MARKS, IDS_END };

static uint64_t first_id(const struct locations *locations, enum ids ids)
{
	uint64_t loc_cnt = locations->model->locs.len;

	switch (ids) {
	case IDS_LOCS:
		return 1;
	case IDS_INVERSE:
		return 1 + loc_cnt;
	case IDS_MARKS:
		return 1 + 2 * loc_cnt;
	case IDS_END:
		break;
	}
	return 1 + 2 * loc_cnt + LOCATION_MARK_CNT;
}

/* -- text -- */

/* Returns the number of what is in .line. */
static int64_t put_line(struct locations *locations)
{
	if (locations->line.failed && !locations->profile->err)
		locations->profile->err = -ENOMEM;
	return profile_text(locations->profile, buf_text(&locations->line));
}

int64_t locations_text(struct locations *locations, uint32_t text)
{
	buf_clear(&locations->line);
	clean_append(&locations->line, model_str(locations->model, text));
	return put_line(locations);
}

static uint64_t put_function(struct locations *locations, const struct frame_ref *ref)
{
	int64_t file = locations_text(locations, ref->frame ? ref->frame->file : 0);
	int64_t name, full;

	buf_clear(&locations->line);
	frame_put_name(&locations->line, locations->model, ref, false);
	full = put_line(locations);
	buf_clear(&locations->line);
	frame_put_bare_name(&locations->line, locations->model, ref, false);
	name = put_line(locations);
	return profile_function(locations->profile, name, full, file);
}

/* -- mappings -- */

/* Writes the id of the place of @module to @ret_id. */
static int place_of_module(struct locations *locations, uint32_t module, uint32_t *ret_id)
{
	struct place place = { .module = module };
	int err;

	if (table_find(&locations->place_by_module, module, ret_id))
		return 0;
	err = vec_append(&locations->places, &place, 1);
	*ret_id = locations->places.len;
	return err ? err : table_put(&locations->place_by_module, module, *ret_id);
}

/* Finds the place of loc @idx, and notes what is known of it. */
static int place_loc(struct locations *locations, uint32_t idx)
{
	const struct model *model = locations->model;
	const struct model_loc *loc = model_loc(model, idx);
	const struct model_frame *frames = loc->frame_cnt ? model_loc_frames(model, loc) : NULL;
	uint32_t mapping = model_find_mapping(model, loc);
	uint32_t *id = &locations->place_by_loc[idx];
	struct place *place;
	int err = 0;

	if (mapping != MODEL_NONE)
		*id = mapping + 1;
	else if (frames && frames[loc->frame_cnt - 1].module)
		err = place_of_module(locations, frames[loc->frame_cnt - 1].module, id);
	if (err || !*id || !frames)
		return err;
	place = vec_at(&locations->places, *id - 1);
	if (mapping != MODEL_NONE)
		place->bias = loc->pc - frames[loc->frame_cnt - 1].module_off;
	for (uint32_t i = 0; frames && i < loc->frame_cnt; i++) {
		place->has_filenames |= frames[i].file != 0;
		place->has_line_numbers |= frames[i].line != 0;
		place->has_inline_frames |= frames[i].inlined;
	}
	return 0;
}

static int find_places(struct locations *locations)
{
	const struct model *model = locations->model;
	int err = 0;

	for (uint32_t i = 0; i < model->mappings.len && !err; i++) {
		struct place place = { .mapping = model_mapping(model, i) };

		place.module = place.mapping->path;
		err = vec_append(&locations->places, &place, 1);
	}
	for (uint32_t i = 0; i < model->locs.len && !err; i++)
		err = place_loc(locations, i);
	return err;
}

static void put_mapping(struct locations *locations, uint32_t idx)
{
	const struct place *place = vec_at(&locations->places, idx);
	Pprof__Mapping mapping = PPROF__MAPPING__INIT, *mappings[] = { &mapping };
	Pprof__Profile piece = PPROF__PROFILE__INIT;

	mapping.id = idx + 1;
	mapping.filename = locations_text(locations, place->module);
	if (place->mapping) {
		uint64_t bias = idx == locations->program ? place->bias : 0;

		mapping.memory_start = place->mapping->start_addr - bias;
		mapping.memory_limit = place->mapping->end_addr - bias;
		mapping.file_offset = place->mapping->file_off;
		mapping.build_id = locations_text(locations, place->mapping->build_id);
	}
	/* Every location has its function, if only as module+0xoffset: pprof is not to guess at
	 * others by the nearest symbol. */
	mapping.has_functions = true;
	mapping.has_filenames = place->has_filenames;
	mapping.has_line_numbers = place->has_line_numbers;
	mapping.has_inline_frames = place->has_inline_frames;
	piece.n_mapping = 1;
	piece.mapping = mappings;
	profile_put(locations->profile, &piece);
}

/* The mapping that comes first is taken for the program. */
static void put_mappings(struct locations *locations)
{
	const struct model *model = locations->model;
	uint32_t cnt = locations->places.len;

	for (uint32_t i = cnt; i-- > 0 && model->processes.len;) {
		const struct place *place = vec_at(&locations->places, i);

		if (place->module && place->module == model_process(model, 0)->exe)
			locations->program = i;
	}
	if (cnt)
		put_mapping(locations, locations->program);
	for (uint32_t i = 0; i < cnt; i++)
		if (i != locations->program)
			put_mapping(locations, i);
}

/* Returns the address that loc @idx has in the profile. Not a return address, which may be beyond
 * the function: what shows code by it would show the instruction behind the call. In the program
 * it is the file's own address: Go's pprof shows no code of programs that are loaded elsewhere. */
static uint64_t profile_addr(const struct locations *locations, uint32_t idx)
{
	uint64_t addr = model_loc_addr(model_loc(locations->model, idx));
	uint32_t id = locations->place_by_loc[idx];
	const struct place *place;

	if (!id || id - 1 != locations->program)
		return addr;
	place = vec_at(&locations->places, id - 1);
	return addr - place->bias;
}

int locations_init(struct locations *locations, const struct model *model, struct profile *profile)
{
	int err;

	*locations = (struct locations){ .model = model, .profile = profile };
	buf_init(&locations->line, 8 * CLEAN_MAX_BYTES);
	vec_init(&locations->places, sizeof(struct place), 2 * MODEL_LOC_MAX);
	table_init(&locations->place_by_module, MODEL_LOC_MAX);
	locations->place_by_loc = calloc((size_t)model->locs.len + 1, sizeof(uint32_t));
	locations->sent = calloc(first_id(locations, IDS_END), sizeof(bool));
	if (!locations->place_by_loc || !locations->sent)
		return -ENOMEM;
	err = find_places(locations);
	if (!err)
		put_mappings(locations);
	return err;
}

void locations_release(struct locations *locations)
{
	buf_release(&locations->line);
	vec_release(&locations->places);
	table_release(&locations->place_by_module);
	free(locations->place_by_loc);
	free(locations->sent);
}

/* -- locations -- */

static void put_location(struct locations *locations, Pprof__Location *location)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;

	piece.n_location = 1;
	piece.location = &location;
	profile_put(locations->profile, &piece);
	locations->sent[location->id] = true;
}

uint64_t locations_loc(struct locations *locations, uint32_t idx, bool inverse)
{
	const struct model_loc *loc = model_loc(locations->model, idx);
	uint32_t cnt = loc->frame_cnt < INLINE_MAX ? loc->frame_cnt : INLINE_MAX;
	Pprof__Line lines[INLINE_MAX], *line_refs[INLINE_MAX];
	Pprof__Location location = PPROF__LOCATION__INIT;
	struct frame_ref ref = { .pc = loc->pc };

	inverse = inverse && cnt > 1;
	location.id = first_id(locations, inverse ? IDS_INVERSE : IDS_LOCS) + idx;
	if (locations->sent[location.id])
		return location.id;
	location.mapping_id = locations->place_by_loc[idx];
	location.address = profile_addr(locations, idx);
	location.n_line = cnt ? cnt : 1;
	location.line = line_refs;
	for (uint32_t i = 0; i < location.n_line; i++) {
		if (cnt)
			ref.frame = &model_loc_frames(locations->model, loc)[i];
		pprof__line__init(&lines[i]);
		lines[i].function_id = put_function(locations, &ref);
		lines[i].line = cnt ? ref.frame->line : 0;
		line_refs[inverse ? cnt - 1 - i : i] = &lines[i];
	}
	put_location(locations, &location);
	return location.id;
}

uint64_t locations_mark(struct locations *locations, enum location_mark mark)
{
	static const char *const names[LOCATION_MARK_CNT] = {
		[LOCATION_TRUNCATED] = "[truncated]",
		[LOCATION_GUESSED] = "[guessed]",
		[LOCATION_NO_STACK] = "[no stack]",
		[LOCATION_WOKEN_BY] = "--",
	};
	Pprof__Location location = PPROF__LOCATION__INIT;
	Pprof__Line line = PPROF__LINE__INIT, *lines[] = { &line };
	int64_t name;

	location.id = first_id(locations, IDS_MARKS) + mark;
	if (locations->sent[location.id])
		return location.id;
	name = profile_text(locations->profile, names[mark]);
	line.function_id = profile_function(locations->profile, name, name, 0);
	location.n_line = 1;
	location.line = lines;
	put_location(locations, &location);
	return location.id;
}
