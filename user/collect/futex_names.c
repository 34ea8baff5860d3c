/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What is at a futex's address: a variable, the heap, a thread's stack, a mapped file. Variables
 * are those of the address space that a stack of its calls was walked in, which keeps its files
 * when the process has ended or runs another program; without a stack, of the process's last one.
 * For the rest the process itself is asked, if it still has the same code at that stack.
 */
#include "collect/futexes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collect/places.h"
#include "proc/maps.h"
#include "symbolize/symbolize.h"

#define NAME_BYTES 256
#define SPACE_MAX 65536

struct named_space {
	const struct target *target;
	struct symbolizer *symbolizer;
};

/* Of one process. */
struct namer {
	const struct futexes *futexes;
	struct model *model;
	pid_t tgid;
	struct vec spaces; /* struct named_space, made when needed */
	bool asked;	   /* .maps and .places are filled */
	struct maps maps;  /* as it is now; empty when the process has ended */
	struct places places;
};

/* Asks the process how it is now, once. */
static void ask(struct namer *namer)
{
	const struct snapshot *snapshot = namer->futexes->book->snapshot;

	if (namer->asked)
		return;
	namer->asked = true;
	maps_read(&namer->maps, namer->tgid, NULL);
	for (uint32_t i = 0; i < snapshot->entries.len; i++) {
		const struct entry *entry = vec_at(&snapshot->entries, i);

		if (snapshot_target(snapshot, entry->target)->tgid == (uint32_t)namer->tgid)
			places_add(&namer->places, entry->tid, entry->sp);
	}
}

/* Returns the symbolizer of @target, NULL when there is none. */
static struct symbolizer *symbolizer_of(struct namer *namer, const struct target *target)
{
	struct named_space space = { .target = target };

	for (uint32_t i = 0; i < namer->spaces.len; i++) {
		const struct named_space *known = vec_at(&namer->spaces, i);

		if (known->target == target)
			return known->symbolizer;
	}
	if (target->modules)
		space.symbolizer =
			symbolizer_new(target->pid, &target->maps, target->modules, NULL);
	if (vec_append(&namer->spaces, &space, 1)) {
		symbolizer_free(space.symbolizer);
		return NULL;
	}
	return space.symbolizer;
}

/* Writes what is at @line's address to @text, "" when that is not known. */
static void name_line(struct namer *namer, const struct futex_line *line, char *text)
{
	uint64_t pc = 0;
	const struct target *walked = futex_line_target(namer->futexes, line, &pc);
	const struct target *target =
		walked ? walked : spaces_target_of(namer->futexes->book->spaces, line->tgid);
	struct symbolizer *symbolizer = target ? symbolizer_of(namer, target) : NULL;
	uint32_t code;

	text[0] = '\0';
	if (symbolizer && symbolizer_name_data(symbolizer, line->addr, text, NAME_BYTES))
		return;
	if (!walked)
		return;
	ask(namer);
	code = maps_code(&target->maps, pc);
	if (code && code == maps_code(&namer->maps, pc))
		places_name(&namer->places, &namer->maps, line->addr, text, NAME_BYTES);
}

/* Names the futexes of the @cnt lines of one process. */
static void name_lines(struct namer *namer, const struct futex_line *lines, uint32_t cnt)
{
	struct table names; /* address -> id of its name */
	char text[NAME_BYTES];
	uint32_t name;

	table_init(&names, MODEL_SPAN_MAX);
	for (uint32_t i = 0; i < cnt; i++) {
		if (table_find(&names, lines[i].addr, &name))
			continue;
		name_line(namer, &lines[i], text);
		name = strpool_add(&namer->model->strings, text);
		if (name) /* else another line may tell */
			table_put(&names, lines[i].addr, name);
	}
	for (uint32_t i = 0; i < cnt; i++)
		if (lines[i].model_idx != MODEL_NONE && table_find(&names, lines[i].addr, &name))
			model_futex(namer->model, lines[i].model_idx)->name = name;
	table_release(&names);
}

static void name_process(const struct futexes *futexes, struct model *model,
			 const struct futex_line *lines, uint32_t cnt)
{
	struct namer namer = { .futexes = futexes, .model = model, .tgid = (pid_t)lines[0].tgid };

	vec_init(&namer.spaces, sizeof(struct named_space), SPACE_MAX);
	maps_init(&namer.maps);
	places_init(&namer.places, namer.tgid);
	name_lines(&namer, lines, cnt);
	for (uint32_t i = 0; i < namer.spaces.len; i++) {
		struct named_space *space = vec_at(&namer.spaces, i);

		if (space->symbolizer)
			symbolizer_count_losses(space->symbolizer, model);
		symbolizer_free(space->symbolizer);
	}
	vec_release(&namer.spaces);
	maps_release(&namer.maps);
	places_release(&namer.places);
}

void futexes_name(const struct futexes *futexes, struct model *model)
{
	const struct futex_line *lines = futexes->lines.data;
	uint32_t first = 0;

	for (uint32_t i = 1; i <= futexes->lines.len; i++) {
		if (i < futexes->lines.len && lines[i].tgid == lines[first].tgid)
			continue;
		name_process(futexes, model, &lines[first], i - first);
		first = i;
	}
}
