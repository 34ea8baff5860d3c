/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "collect/mappings.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

/* Whether a mapping of @process that was added before has an address of @mapping. */
static bool is_taken(const struct model *model, uint32_t process, const struct mapping *mapping)
{
	for (uint32_t i = model->mappings.len; i-- > 0;) {
		const struct model_mapping *other = model_mapping(model, i);

		if (other->process != process)
			break; /* those of a process lie together */
		if (other->start_addr < mapping->end_addr && mapping->start_addr < other->end_addr)
			return true;
	}
	return false;
}

/* Adds @mapping, unless it is no file's, or one is there from another map of the process. */
static int add_mapping(struct model *model, uint32_t process, const struct mapping *mapping,
		       struct modules *modules)
{
	const struct module *module = modules_find(modules, mapping->start_addr);
	char build_id[MODULE_BUILD_ID_BYTES];
	struct model_mapping *added;

	if (!module || is_taken(model, process, mapping))
		return 0;
	added = vec_push(&model->mappings);
	if (!added)
		return errno == E2BIG ? 0 : -ENOMEM;
	module_build_id(module, build_id);
	*added = (struct model_mapping){
		.start_addr = mapping->start_addr,
		.end_addr = mapping->end_addr,
		.file_off = mapping->file_off,
		.process = process,
		.path = strpool_add(&model->strings, module->path),
		.build_id = strpool_add(&model->strings, build_id),
	};
	return 0;
}

int mappings_to_model(struct model *model, uint32_t process, const struct maps *maps,
		      struct modules *modules)
{
	const struct mapping *first = maps->mappings.data;
	_cleanup_free_ bool *used = calloc((size_t)maps->mappings.len + 1, sizeof(*used));
	int err = 0;

	if (!used)
		return -ENOMEM;
	for (uint32_t i = model_first_loc(model, process); i != MODEL_NONE;
	     i = model_next_loc(model, i)) {
		const struct model_loc *loc = model_loc(model, i);
		const struct mapping *mapping;

		if (loc->code && loc->code != maps_code(maps, model_loc_addr(loc)))
			continue;
		mapping = maps_find(maps, model_loc_addr(loc));
		if (mapping)
			used[mapping - first] = true;
	}
	for (uint32_t i = 0; i < maps->mappings.len && !err; i++)
		if (used[i])
			err = add_mapping(model, process, &first[i], modules);
	return err;
}
