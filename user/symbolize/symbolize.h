/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Names for the pcs of one process: function, inlined functions, file:line, demangled; from symbol
 * tables, DWARF (also in separate files), JIT perf maps. A name is given only where the symbol
 * covers the pc.
 */
#ifndef SYMBOLIZE_SYMBOLIZE_H
#define SYMBOLIZE_SYMBOLIZE_H

#include "base/err.h"
#include "model/model.h"
#include "proc/maps.h"
#include "proc/modules.h"

struct symbolizer;

/* Returns a symbolizer for process @tgid, or NULL with @err set. @maps and @modules are borrowed
 * and must outlive it. Opens nothing yet. */
struct symbolizer *symbolizer_new(pid_t tgid, const struct maps *maps, struct modules *modules,
				  struct err *err);
void symbolizer_free(struct symbolizer *symbolizer);

/* Gives frames to every loc of process @process of @model that has none yet and is of the code that
 * the map has: at least one each; locs in files that cannot be read get none, since another
 * symbolizer may know them. What could not be read is counted in the model's losses. Returns 0 or
 * -errno. */
int symbolizer_run(struct symbolizer *symbolizer, struct model *model, uint32_t process);

/* Gives a frame of the file, without a name, to every loc of process @process of @model that has
 * none yet and is of the code of a file that @maps has, but not @symbolizer, which may be NULL: of
 * a process that has ended, its map may be all there is. The files are counted in the model's
 * losses. Returns 0 or -errno. */
int symbolize_by_map(const struct symbolizer *symbolizer, const struct maps *maps,
		     struct model *model, uint32_t process);

/* Gives a frame without a name to every loc of process @process of @model that has none yet, with
 * the module if @symbolizer, which may be NULL, knows it. Returns 0 or -errno. */
int symbolize_rest(struct symbolizer *symbolizer, struct model *model, uint32_t process);

/* Adds what could not be read since the last count to the losses of @model: symbolizer_name_data
 * may read more after symbolizer_run, which counts by itself. */
void symbolizer_count_losses(struct symbolizer *symbolizer, struct model *model);

/* Writes what stands at data address @addr to @text: "name+0x10" of a variable, else "" .
 * Returns 1 when named, else 0. */
int symbolizer_name_data(struct symbolizer *symbolizer, uint64_t addr, char *text, size_t len);

/* Gives frames to the kernel locs of @model (process MODEL_NONE) from /proc/kallsyms.
 * Returns 0, or -errno with @err set when it cannot be read; frames then carry no name. */
int symbolize_kernel(struct model *model, struct err *err);

#endif
