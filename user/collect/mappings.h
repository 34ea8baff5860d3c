/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Which parts of which files a process's code was found in, for the model. */
#ifndef COLLECT_MAPPINGS_H
#define COLLECT_MAPPINGS_H

#include <stdint.h>

#include "model/model.h"
#include "proc/maps.h"
#include "proc/modules.h"

/* Adds the mappings of files, out of @maps and @modules, that locs of process @process lie in.
 * Before model_sort. Returns 0 or -ENOMEM. */
int mappings_to_model(struct model *model, uint32_t process, const struct maps *maps,
		      struct modules *modules);

#endif
