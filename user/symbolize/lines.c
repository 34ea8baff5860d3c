/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "symbolize/lines.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "base/vec.h"
#include "symbolize/ranges.h"

#define UNIT_MAX (1u << 20)
#define RANGE_MAX (4u << 20)	   /* in one table */
#define RANGE_READ_MAX (16u << 20) /* in a module: many entries may share one list of ranges */
#define SCOPE_DEPTH_MAX 256

struct unit {
	Dwarf_Off off;	  /* of its DIE */
	bool deep;	  /* functions within functions and types were looked for too */
	struct vec funcs; /* struct range; its id is the function's DIE offset less .off */
};

struct lines {
	Dwfl_Module *dwfl;
	Dwarf *dwarf;
	Dwarf_Addr bias;
	struct vec units;	  /* struct unit, those that were asked for */
	struct table unit_by_off; /* DIE offset -> index in units */
	struct vec unit_ranges;	  /* struct range; its id is an index in unit_offs */
	struct vec unit_offs;	  /* Dwarf_Off of a unit's DIE */
	bool unit_ranges_built;
	bool damaged;
	uint32_t ranges_read_cnt;
};

struct lines *lines_new(Dwfl_Module *dwfl)
{
	struct lines *lines = calloc(1, sizeof(*lines));
	Dwarf_Addr bias;
	Dwarf *dwarf = dwfl_module_getdwarf(dwfl, &bias);

	if (!lines || !dwarf) {
		free(lines);
		return NULL;
	}
	lines->dwfl = dwfl;
	lines->dwarf = dwarf;
	lines->bias = bias;
	vec_init(&lines->units, sizeof(struct unit), UNIT_MAX);
	table_init(&lines->unit_by_off, UNIT_MAX);
	vec_init(&lines->unit_ranges, sizeof(struct range), RANGE_MAX);
	vec_init(&lines->unit_offs, sizeof(Dwarf_Off), UNIT_MAX);
	return lines;
}

void lines_free(struct lines *lines)
{
	if (!lines)
		return;
	for (uint32_t i = 0; i < lines->units.len; i++)
		vec_release(&((struct unit *)vec_at(&lines->units, i))->funcs);
	vec_release(&lines->units);
	table_release(&lines->unit_by_off);
	vec_release(&lines->unit_ranges);
	vec_release(&lines->unit_offs);
	free(lines);
}

bool lines_damaged(const struct lines *lines)
{
	return lines->damaged;
}

/* Steps through the ranges of @die. Starts with *@offset 0. Returns whether there is one more. */
static bool die_next_range(struct lines *lines, Dwarf_Die *die, ptrdiff_t *offset, Dwarf_Addr *base,
			   Dwarf_Addr *ret_start, Dwarf_Addr *ret_end)
{
	ptrdiff_t next;

	if (lines->ranges_read_cnt >= RANGE_READ_MAX) {
		lines->damaged = true;
		return false;
	}
	lines->ranges_read_cnt++;
	next = dwarf_ranges(die, *offset, base, ret_start, ret_end);
	if (next < 0)
		lines->damaged = true;
	if (next <= 0)
		return false;
	*offset = next;
	return true;
}

static bool die_covers(struct lines *lines, Dwarf_Die *die, Dwarf_Addr addr)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t offset = 0;

	while (die_next_range(lines, die, &offset, &base, &start, &end))
		if (start <= addr && addr < end)
			return true;
	return false;
}

/* Adds the ranges of @die to @ranges. One that starts at 0 is of a function that the linker threw
 * away. */
static void add_die_ranges(struct lines *lines, struct vec *ranges, Dwarf_Die *die, uint32_t id)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t offset = 0;

	while (die_next_range(lines, die, &offset, &base, &start, &end)) {
		struct range range = { .start_addr = start, .end_addr = end, .id = id };

		range.rank = ranges->len;
		if (start && vec_append(ranges, &range, 1))
			lines->damaged = true;
	}
}

/* A walk over entries that only goes forward, so that it ends whatever they refer to. */
struct cursor {
	Dwarf_Die die;
	Dwarf_Off off;
};

static bool cursor_accept(struct lines *lines, struct cursor *cursor, int found, Dwarf_Off *seen)
{
	if (found < 0)
		lines->damaged = true;
	if (found)
		return false;
	cursor->off = dwarf_dieoffset(&cursor->die);
	if (cursor->off <= *seen) {
		lines->damaged = true;
		return false;
	}
	*seen = cursor->off;
	return true;
}

static bool cursor_child(struct lines *lines, Dwarf_Die *parent, struct cursor *cursor,
			 Dwarf_Off *seen)
{
	return cursor_accept(lines, cursor, dwarf_child(parent, &cursor->die), seen);
}

static bool cursor_next(struct lines *lines, struct cursor *cursor, Dwarf_Off *seen)
{
	return cursor_accept(lines, cursor, dwarf_siblingof(&cursor->die, &cursor->die), seen);
}

/* Whether functions may be found below an entry with @tag. Most stand in namespaces at most; those
 * of a local class stand within the function (@deep), and to find them is to read every entry. */
static bool tag_holds_functions(int tag, bool deep)
{
	switch (tag) {
	case DW_TAG_namespace:
	case DW_TAG_module:
		return true;
	case DW_TAG_subprogram:
	case DW_TAG_lexical_block:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type:
		return deep;
	default:
		return false;
	}
}

/* Adds the functions below @parent. */
static void index_functions(struct lines *lines, struct unit *unit, Dwarf_Die *parent,
			    Dwarf_Off *seen, uint32_t depth)
{
	struct cursor cursor;
	bool more = cursor_child(lines, parent, &cursor, seen);

	for (; more; more = cursor_next(lines, &cursor, seen)) {
		int tag = dwarf_tag(&cursor.die);

		if (tag == DW_TAG_subprogram && cursor.off - unit->off <= UINT32_MAX)
			add_die_ranges(lines, &unit->funcs, &cursor.die,
				       (uint32_t)(cursor.off - unit->off));
		if (depth < SCOPE_DEPTH_MAX && tag_holds_functions(tag, unit->deep))
			index_functions(lines, unit, &cursor.die, seen, depth + 1);
	}
}

/* Makes the table of the functions of @unit anew. */
static void index_unit(struct lines *lines, struct unit *unit, Dwarf_Die *unit_die)
{
	Dwarf_Off seen = unit->off;

	vec_clear(&unit->funcs);
	index_functions(lines, unit, unit_die, &seen, 0);
	if (ranges_flatten(&unit->funcs))
		lines->damaged = true;
}

/* Returns the unit of @unit_die with its functions indexed, or NULL without memory. */
static struct unit *find_unit(struct lines *lines, Dwarf_Die *unit_die)
{
	Dwarf_Off off = dwarf_dieoffset(unit_die);
	struct unit *unit;
	uint32_t idx;

	if (table_find(&lines->unit_by_off, off, &idx))
		return vec_at(&lines->units, idx);
	unit = vec_push(&lines->units);
	if (!unit)
		return NULL;
	if (table_put(&lines->unit_by_off, off, lines->units.len - 1)) {
		lines->units.len--;
		return NULL;
	}
	unit->off = off;
	vec_init(&unit->funcs, sizeof(struct range), RANGE_MAX);
	index_unit(lines, unit, unit_die);
	return unit;
}

/* Returns the range of the function of @unit that covers @addr, or NULL. */
static const struct range *find_function(struct lines *lines, struct unit *unit,
					 Dwarf_Die *unit_die, Dwarf_Addr addr)
{
	const struct range *range = ranges_find(&unit->funcs, addr);

	if (range || unit->deep)
		return range;
	unit->deep = true;
	index_unit(lines, unit, unit_die);
	return ranges_find(&unit->funcs, addr);
}

/* Reads the ranges of all units from their own entries. */
static void build_unit_ranges(struct lines *lines)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	uint8_t type;
	int found;

	lines->unit_ranges_built = true;
	while ((found = dwarf_get_units(lines->dwarf, cu, &cu, NULL, &type, &die, NULL)) == 0) {
		Dwarf_Off off = dwarf_dieoffset(&die);

		if (type != DW_UT_compile && type != DW_UT_skeleton)
			continue;
		if (vec_append(&lines->unit_offs, &off, 1))
			break;
		add_die_ranges(lines, &lines->unit_ranges, &die, lines->unit_offs.len - 1);
	}
	if (found <= 0 || ranges_flatten(&lines->unit_ranges))
		lines->damaged = true;
}

/* Finds the unit that covers @addr (of the DWARF). Returns whether there is one. */
static bool find_unit_die(struct lines *lines, Dwarf_Addr addr, Dwarf_Die *ret_die)
{
	const struct range *range;
	Dwarf_Addr bias;
	Dwarf_Die *die = dwfl_module_addrdie(lines->dwfl, addr + lines->bias, &bias);

	if (die) {
		*ret_die = *die;
		return true;
	}
	if (!lines->unit_ranges_built)
		build_unit_ranges(lines);
	range = ranges_find(&lines->unit_ranges, addr);
	return range && dwarf_offdie(lines->dwarf,
				     *(Dwarf_Off *)vec_at(&lines->unit_offs, range->id), ret_die);
}

/* Collects the inlined functions of @func around @addr, outermost first. Returns their count. */
static uint32_t find_inlined(struct lines *lines, const Dwarf_Die *func, Dwarf_Addr addr,
			     Dwarf_Die ret_inlined[LINES_FRAME_MAX - 1])
{
	Dwarf_Die scope = *func;
	Dwarf_Off seen = dwarf_dieoffset(&scope);
	uint32_t cnt = 0;

	for (uint32_t depth = 0; depth < SCOPE_DEPTH_MAX; depth++) {
		struct cursor cursor;
		bool more = cursor_child(lines, &scope, &cursor, &seen);
		int tag = 0;

		for (; more; more = cursor_next(lines, &cursor, &seen)) {
			tag = dwarf_tag(&cursor.die);
			if ((tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
			     tag == DW_TAG_try_block || tag == DW_TAG_catch_block) &&
			    die_covers(lines, &cursor.die, addr))
				break;
		}
		if (!more)
			break;
		if (tag == DW_TAG_inlined_subroutine) {
			if (cnt == LINES_FRAME_MAX - 1)
				break;
			ret_inlined[cnt++] = cursor.die;
		}
		scope = cursor.die;
	}
	return cnt;
}

static void set_name(struct line_frame *frame, Dwarf_Die *die)
{
	Dwarf_Attribute attr;

	if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attr) ||
	    dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attr)) {
		frame->name = dwarf_formstring(&attr);
		frame->is_linkage = frame->name;
	}
	if (!frame->name)
		frame->name = dwarf_diename(die);
}

/* Sets the file of @frame. */
static void set_file(struct line_frame *frame, Dwarf_Die *unit_die, const char *file)
{
	Dwarf_Attribute attr;

	frame->file = file;
	if (file && file[0] != '/' && dwarf_attr(unit_die, DW_AT_comp_dir, &attr))
		frame->dir = dwarf_formstring(&attr);
}

/* Sets where @inlined was called, in the frame of the function that it is inlined into. */
static void set_call_site(struct line_frame *frame, Dwarf_Die *unit_die, Dwarf_Die *inlined)
{
	Dwarf_Attribute attr;
	Dwarf_Word number;
	Dwarf_Files *files;
	size_t file_cnt;

	if (!dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attr), &number) &&
	    number <= UINT32_MAX)
		frame->line = (uint32_t)number;
	if (!dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attr), &number) &&
	    !dwarf_getsrcfiles(unit_die, &files, &file_cnt) && number < file_cnt)
		set_file(frame, unit_die, dwarf_filesrc(files, number, NULL, NULL));
}

static void set_source(struct line_frame *frame, Dwarf_Die *unit_die, Dwarf_Addr addr)
{
	Dwarf_Line *line = dwarf_getsrc_die(unit_die, addr);
	int number;

	if (!line)
		return;
	set_file(frame, unit_die, dwarf_linesrc(line, NULL, NULL));
	if (!dwarf_lineno(line, &number) && number > 0)
		frame->line = (uint32_t)number;
}

/* Whether the line of @addr is one of the symbol that starts at @symbol_addr, and not the last one
 * of what is before. */
static bool has_own_line(Dwarf_Die *unit_die, Dwarf_Addr addr, Dwarf_Addr symbol_addr)
{
	Dwarf_Line *line = dwarf_getsrc_die(unit_die, addr);
	Dwarf_Addr line_addr;

	return line && !dwarf_lineaddr(line, &line_addr) && line_addr >= symbol_addr;
}

uint32_t lines_find(struct lines *lines, uint64_t addr, uint64_t symbol_addr,
		    struct line_frame ret_frames[LINES_FRAME_MAX], uint64_t *ret_start_addr)
{
	Dwarf_Die unit_die, func, inlined[LINES_FRAME_MAX - 1];
	const struct range *range;
	struct unit *unit;
	uint32_t cnt = 0;
	Dwarf_Addr start;

	*ret_start_addr = 0;
	addr -= lines->bias;
	if (!find_unit_die(lines, addr, &unit_die))
		return 0;
	unit = find_unit(lines, &unit_die);
	if (!unit)
		return 0;
	range = find_function(lines, unit, &unit_die, addr);
	/* Between functions the line table still has the last one's line. Only assembly has lines
	 * without functions, and code that stands for several that are alike. */
	if (!range && unit->funcs.len &&
	    !(symbol_addr && has_own_line(&unit_die, addr, symbol_addr - lines->bias)))
		return 0;
	if (range && !dwarf_offdie(lines->dwarf, unit->off + range->id, &func))
		return 0;
	if (range)
		cnt = find_inlined(lines, &func, addr, inlined);
	memset(ret_frames, 0, (cnt + 1) * sizeof(ret_frames[0]));
	set_source(&ret_frames[0], &unit_die, addr);
	for (uint32_t i = 0; i < cnt; i++) {
		set_name(&ret_frames[i], &inlined[cnt - 1 - i]);
		set_call_site(&ret_frames[i + 1], &unit_die, &inlined[cnt - 1 - i]);
	}
	if (range) {
		set_name(&ret_frames[cnt], &func);
		if (!dwarf_entrypc(&func, &start))
			*ret_start_addr = start + lines->bias;
	}
	return cnt + 1;
}
