/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Each table is read when the first pc asks for it, and each pc is looked up once: locs are unique
 * in the model.
 */
#include "symbolize/symbolize.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "symbolize/demangle.h"
#include "symbolize/kallsyms.h"
#include "symbolize/lines.h"
#include "symbolize/perfmap.h"
#include "symbolize/symtab.h"

/* What was read of one module. */
struct names {
	Dwfl_Module *symbols; /* where they are; NULL: not looked for yet */
	struct symtab funcs, data;
	struct lines *lines; /* NULL: has none */
	GElf_Addr bias;	     /* address in the process less the file's own */
	bool funcs_loaded, data_loaded, damage_counted;
};

struct symbolizer {
	pid_t tgid;
	const struct maps *maps;
	struct modules *modules;
	struct names *names; /* by module.idx */
	uint32_t names_cnt;
	struct perfmap jit;
	bool jit_loaded;
	uint64_t unreadable_cnt; /* tables, not yet counted in a model */
};

struct symbolizer *symbolizer_new(pid_t tgid, const struct maps *maps, struct modules *modules,
				  struct err *err)
{
	struct symbolizer *symbolizer = calloc(1, sizeof(*symbolizer));
	uint32_t cnt = modules_cnt(modules);

	if (!symbolizer)
		goto fail;
	perfmap_init(&symbolizer->jit);
	symbolizer->tgid = tgid;
	symbolizer->maps = maps;
	symbolizer->modules = modules;
	symbolizer->names = calloc(cnt ? cnt : 1, sizeof(symbolizer->names[0]));
	if (!symbolizer->names)
		goto fail;
	symbolizer->names_cnt = cnt;
	for (uint32_t i = 0; i < cnt; i++) {
		symtab_init(&symbolizer->names[i].funcs);
		symtab_init(&symbolizer->names[i].data);
	}
	return symbolizer;
fail:
	symbolizer_free(symbolizer);
	err_set(err, -ENOMEM, "not enough memory for the symbols of process %d", tgid);
	return NULL;
}

void symbolizer_free(struct symbolizer *symbolizer)
{
	if (!symbolizer)
		return;
	for (uint32_t i = 0; symbolizer->names && i < symbolizer->names_cnt; i++) {
		symtab_release(&symbolizer->names[i].funcs);
		symtab_release(&symbolizer->names[i].data);
		lines_free(symbolizer->names[i].lines);
	}
	free(symbolizer->names);
	perfmap_release(&symbolizer->jit);
	free(symbolizer);
}

/* Fills @symtab, of @names, with the symbols of @kind of @module. */
static void load_symbols(struct symbolizer *symbolizer, struct names *names,
			 const struct module *module, struct symtab *symtab, enum symtab_kind kind)
{
	if (!names->symbols)
		names->symbols = module_symbols(module);
	if (symtab_load(symtab, names->symbols, kind) || symtab->unreadable || symtab->lost_cnt)
		symbolizer->unreadable_cnt++;
}

/* Returns the names of @module, which has an ELF file, with its functions and lines opened. */
static struct names *open_funcs(struct symbolizer *symbolizer, const struct module *module)
{
	struct names *names = &symbolizer->names[module->idx];
	Dwfl_Module *dwarf;

	if (names->funcs_loaded)
		return names;
	names->funcs_loaded = true;
	dwfl_module_getelf(module->dwfl, &names->bias);
	load_symbols(symbolizer, names, module, &names->funcs, SYMTAB_FUNCS);
	dwarf = module_dwarf(module);
	if (dwarf)
		names->lines = lines_new(dwarf);
	if (!names->lines && errno)
		symbolizer->unreadable_cnt++;
	return names;
}

/* Returns the string id of function name @raw as it is shown. */
static uint32_t add_name(struct model *model, const char *raw, bool is_linkage)
{
	char text[DEMANGLE_TEXT_BYTES];
	size_t len;

	if (!raw)
		return 0;
	len = is_linkage ? demangle(raw, text, sizeof(text))
			 : demangle_plain(raw, text, sizeof(text));
	return strpool_add_len(&model->strings, text, len);
}

static uint32_t add_file(struct model *model, const struct line_frame *frame)
{
	char path[DEMANGLE_TEXT_BYTES];

	if (!frame->file || !frame->dir)
		return add_name(model, frame->file, false);
	snprintf(path, sizeof(path), "%s/%s", frame->dir, frame->file);
	return add_name(model, path, false);
}

/* Fills the frames of @pc, which is looked up as @addr, in @module. Returns their count. */
static uint32_t name_in_module(struct symbolizer *symbolizer, struct model *model,
			       const struct module *module, uint64_t pc, uint64_t addr,
			       struct model_frame frames[LINES_FRAME_MAX])
{
	struct names *names = open_funcs(symbolizer, module);
	struct line_frame found[LINES_FRAME_MAX] = { 0 };
	struct model_frame *func;
	uint64_t start_addr = 0, symbol_addr = 0;
	const char *symbol = symtab_name(&names->funcs, names->symbols, addr, &symbol_addr);
	uint32_t module_id = strpool_add(&model->strings, module->path), cnt = 0;

	if (names->lines)
		cnt = lines_find(names->lines, addr, symbol ? symbol_addr : 0, found, &start_addr);
	if (names->lines && lines_damaged(names->lines) && !names->damage_counted) {
		names->damage_counted = true;
		symbolizer->unreadable_cnt++;
	}
	if (!cnt)
		cnt = 1;
	for (uint32_t i = 0; i < cnt; i++)
		frames[i] = (struct model_frame){
			.module_off = pc - names->bias,
			.func = add_name(model, found[i].name, found[i].is_linkage),
			.file = add_file(model, &found[i]),
			.module = module_id,
			.line = found[i].line,
			.inlined = i + 1 < cnt,
		};
	func = &frames[cnt - 1];
	if (symbol) {
		func->func = add_name(model, symbol, true);
		start_addr = symbol_addr;
	}
	if (func->func && start_addr)
		func->func_off = pc - start_addr;
	if (!module_is_lost(module))
		return cnt;
	frames[0] = (struct model_frame){ .module_off = pc - names->bias, .module = module_id };
	return 1;
}

/* Whether code at @addr comes from no file: anonymous memory, or memory shared without a name. */
static bool is_jit_code(const struct symbolizer *symbolizer, uint64_t addr)
{
	const struct mapping *mapping = maps_find(symbolizer->maps, addr);
	const char *path;

	if (!mapping || !mapping->executable)
		return false;
	path = maps_path(symbolizer->maps, mapping);
	return !path[0] || !strncmp(path, "[anon", 5) || !strncmp(path, "/memfd:", 7) ||
	       !strncmp(path, "/dev/zero", 9) || !strncmp(path, "[heap]", 6) ||
	       !strncmp(path, "[stack", 6);
}

static struct model_frame name_in_jit(struct symbolizer *symbolizer, struct model *model,
				      uint64_t pc, uint64_t addr)
{
	struct model_frame frame = { .module_off = pc };
	uint64_t start_addr;
	const char *name;

	if (!symbolizer->jit_loaded) {
		int err = perfmap_read(&symbolizer->jit, symbolizer->tgid);

		symbolizer->jit_loaded = true;
		if (err && err != -ENOENT)
			symbolizer->unreadable_cnt++;
	}
	frame.module = strpool_add(&model->strings, "[jit]");
	name = perfmap_find(&symbolizer->jit, addr, &start_addr);
	if (name) {
		frame.func = add_name(model, name, false);
		frame.func_off = pc - start_addr;
	}
	return frame;
}

/* Returns the module that knows the names of @addr, which it knows as @addr less @ret_off: the one
 * that covers it, or, for a copy of a program's code, the program. NULL when there is none. */
static const struct module *find_names(const struct symbolizer *symbolizer,
				       const struct module *module, uint64_t addr,
				       uint64_t *ret_off)
{
	const struct module *home;

	*ret_off = module ? module->displacement : 0;
	if (!*ret_off)
		return module && module->dwfl ? module : NULL;
	home = modules_find(symbolizer->modules, addr - *ret_off);
	return home && home->dwfl && !strcmp(home->path, module->path) ? home : NULL;
}

static int set_frames(struct model *model, uint32_t loc_idx, const struct model_frame *frames,
		      uint32_t cnt)
{
	int err = model_set_loc_frames(model, loc_idx, frames, cnt);

	if (err != -E2BIG)
		return err;
	model->losses[LOSS_STACKS_OVER_MAX]++;
	return 0;
}

static int symbolize_loc(struct symbolizer *symbolizer, struct model *model, uint32_t loc_idx)
{
	const struct model_loc *loc = model_loc(model, loc_idx);
	uint64_t pc = loc->pc, addr = model_loc_addr(loc);
	const struct module *module = modules_find(symbolizer->modules, addr);
	struct model_frame frames[LINES_FRAME_MAX] = { { .module_off = pc } };
	const struct module *named;
	uint32_t cnt = 1;
	uint64_t off;

	named = find_names(symbolizer, module, addr, &off);
	if (named)
		cnt = name_in_module(symbolizer, model, named, pc - off, addr - off, frames);
	else if (is_jit_code(symbolizer, addr))
		frames[0] = name_in_jit(symbolizer, model, pc, addr);
	else if (module)
		return 0;
	return set_frames(model, loc_idx, frames, cnt);
}

/* Whether @loc, of its process, has no frames, and is of code that @symbolizer has. */
static bool is_nameless(const struct symbolizer *symbolizer, const struct model_loc *loc)
{
	return !loc->frame_cnt &&
	       (!loc->code || loc->code == maps_code(symbolizer->maps, model_loc_addr(loc)));
}

void symbolizer_count_losses(struct symbolizer *symbolizer, struct model *model)
{
	model->losses[LOSS_SYMBOLS_UNREADABLE] += symbolizer->unreadable_cnt;
	symbolizer->unreadable_cnt = 0;
}

int symbolizer_run(struct symbolizer *symbolizer, struct model *model, uint32_t process)
{
	int err = 0;

	for (uint32_t i = model_first_loc(model, process); i != MODEL_NONE && !err;
	     i = model_next_loc(model, i)) {
		if (is_nameless(symbolizer, model_loc(model, i)) && !model_share_frames(model, i))
			err = symbolize_loc(symbolizer, model, i);
	}
	symbolizer_count_losses(symbolizer, model);
	return err;
}

/* Names @loc by the file of its code in @maps, if there is one. */
static int name_by_map(const struct maps *maps, struct model *model, uint32_t loc_idx,
		       struct table *files)
{
	const struct model_loc *loc = model_loc(model, loc_idx);
	const struct mapping *mapping = maps_find(maps, model_loc_addr(loc));
	struct model_frame frame = { .module_off = loc->pc };
	uint64_t file;
	uint32_t one;

	if (!mapping || !loc->code || loc->code != maps_code(maps, model_loc_addr(loc)))
		return 0;
	frame.module_off -= mapping->start_addr - mapping->file_off;
	frame.module = strpool_add(&model->strings, maps_path(maps, mapping));
	file = hash_mix(hash_mix(mapping->inode, mapping->dev_major), mapping->dev_minor);
	if (!table_find(files, file, &one) && !table_put(files, file, 1))
		model->losses[LOSS_MODULES_UNREADABLE]++;
	return set_frames(model, loc_idx, &frame, 1);
}

int symbolize_by_map(const struct symbolizer *symbolizer, const struct maps *maps,
		     struct model *model, uint32_t process)
{
	struct table files;
	int err = 0;

	table_init(&files, 1u << 16);
	for (uint32_t i = model_first_loc(model, process); i != MODEL_NONE && !err;
	     i = model_next_loc(model, i)) {
		const struct model_loc *loc = model_loc(model, i);

		if (!loc->frame_cnt && !(symbolizer && is_nameless(symbolizer, loc)))
			err = name_by_map(maps, model, i, &files);
	}
	table_release(&files);
	return err;
}

int symbolize_rest(struct symbolizer *symbolizer, struct model *model, uint32_t process)
{
	int err = 0;

	for (uint32_t i = model_first_loc(model, process); i != MODEL_NONE && !err;
	     i = model_next_loc(model, i)) {
		const struct model_loc *loc = model_loc(model, i);
		struct model_frame frame = { .module_off = loc->pc };
		const struct module *module = NULL;

		if (loc->frame_cnt)
			continue;
		if (symbolizer && is_nameless(symbolizer, loc))
			module = modules_find(symbolizer->modules, model_loc_addr(loc));
		if (module) {
			frame.module_off -=
				module->displacement ? module->displacement : module->start_addr;
			frame.module = strpool_add(&model->strings, module->path);
		}
		err = set_frames(model, i, &frame, 1);
	}
	return err;
}

/* Returns the module whose data @addr may be. A module's zeroed data (.bss) is anonymous memory
 * right behind its file. */
static const struct module *find_data_module(struct symbolizer *symbolizer, uint64_t addr)
{
	const struct module *module = modules_find(symbolizer->modules, addr);
	const struct mapping *mapping;

	if (module)
		return module;
	mapping = maps_find(symbolizer->maps, addr);
	if (!mapping || mapping->inode || !mapping->start_addr)
		return NULL;
	return modules_find(symbolizer->modules, mapping->start_addr - 1);
}

int symbolizer_name_data(struct symbolizer *symbolizer, uint64_t addr, char *text, size_t len)
{
	const struct module *module = find_data_module(symbolizer, addr);
	char name[DEMANGLE_TEXT_BYTES];
	struct names *names;
	uint64_t start_addr;
	const char *raw;

	if (len)
		text[0] = '\0';
	if (!module || !module->dwfl)
		return 0;
	names = &symbolizer->names[module->idx];
	if (!names->data_loaded) {
		names->data_loaded = true;
		load_symbols(symbolizer, names, module, &names->data, SYMTAB_DATA);
	}
	raw = symtab_name(&names->data, names->symbols, addr, &start_addr);
	if (!raw || module_is_lost(module))
		return 0;
	demangle(raw, name, sizeof(name));
	if (addr == start_addr)
		snprintf(text, len, "%s", name);
	else
		snprintf(text, len, "%s+0x%llx", name, (unsigned long long)(addr - start_addr));
	return 1;
}

static struct model_frame name_in_kernel(const struct kallsyms *syms, struct model *model,
					 const struct model_loc *loc)
{
	const struct kallsyms_entry *entry =
		kallsyms_find(syms, loc->exact ? loc->pc : loc->pc - 1);
	struct model_frame frame = { .module_off = loc->pc, .kernel = true };
	const char *module = "[kernel]";

	if (entry) {
		frame.func = add_name(model, kallsyms_text(syms, entry->name_off), false);
		frame.func_off = loc->pc - entry->start_addr;
		if (entry->module_off)
			module = kallsyms_text(syms, entry->module_off);
	}
	frame.module = strpool_add(&model->strings, module);
	return frame;
}

int symbolize_kernel(struct model *model, struct err *err)
{
	struct kallsyms syms;
	bool loaded = false;
	int code = 0;

	kallsyms_init(&syms);
	for (uint32_t i = 0; i < model->locs.len; i++) {
		const struct model_loc *loc = model_loc(model, i);
		struct model_frame frame;
		int set;

		if (loc->process != MODEL_NONE || loc->frame_cnt)
			continue;
		if (!loaded)
			code = kallsyms_read(&syms, err);
		loaded = true;
		frame = name_in_kernel(&syms, model, loc);
		set = model_set_loc_frames(model, i, &frame, 1);
		if (set == -E2BIG) {
			model->losses[LOSS_STACKS_OVER_MAX]++;
		} else if (set) {
			code = err_set_errno(err, set, "cannot name kernel frames");
			break;
		}
	}
	kallsyms_release(&syms);
	return code;
}
