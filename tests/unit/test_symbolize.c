/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* This very process, named: its functions, inlined ones too, its lines, its variables, JIT code. */
#include "unit.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbolize/symbolize.h"

/* ---- what is named ---- */

int symbolize_test_data[4] = { 1, 2, 3, 4 };
static int zeroed_data[65536];
static volatile uint64_t sink;

/* Where the pcs were taken: the line of each call. */
static uint32_t leaf_line, inner_line, middle_line;

/* Returns the address behind the call to it, in its caller. */
static __attribute__((noinline)) uint64_t return_address(uint32_t line)
{
	leaf_line = line;
	return (uint64_t)(uintptr_t)__builtin_return_address(0);
}

static inline __attribute__((always_inline)) uint64_t inner(uint32_t line)
{
	uint64_t pc = return_address(__LINE__);

	inner_line = line;
	sink = pc;
	return pc;
}

static inline __attribute__((always_inline)) uint64_t middle(uint32_t line)
{
	uint64_t pc = inner(__LINE__);

	middle_line = line;
	sink = pc + 1;
	return pc;
}

static __attribute__((noinline)) uint64_t outer(void)
{
	uint64_t pc = middle(__LINE__);

	sink = pc + 2;
	return pc;
}

/* Two symbols that no function of the DWARF covers. The first has a line, as code has that stands
 * for several functions; at the second there is only the line of what is before. Between functions
 * that are not reordered, as it is their lines that number this file 1. */
#define MERGED_LINE 4242

static __attribute__((no_reorder, noinline, used)) uint64_t code_before(void)
{
	return return_address(__LINE__) + 1;
}

__asm__(".text\n"
	".type symbolize_test_merged, @function\n"
	"symbolize_test_merged:\n"
	".loc 1 4242\n" /* MERGED_LINE */
	"nop; nop; nop; nop; nop; nop; nop; nop\n"
	".size symbolize_test_merged, . - symbolize_test_merged\n"
	".type symbolize_test_bare, @function\n"
	"symbolize_test_bare:\n"
	"nop; nop; nop; nop; nop; nop; nop; nop\n"
	".size symbolize_test_bare, . - symbolize_test_bare\n");

static __attribute__((no_reorder, noinline, used)) uint64_t code_after(void)
{
	return return_address(__LINE__) + 2;
}

extern const char symbolize_test_merged[], symbolize_test_bare[];

/* ---- the process as the symbolizer sees it ---- */

struct self {
	struct maps maps;
	struct modules *modules;
	struct symbolizer *symbolizer;
	struct model model;
	uint32_t process;
};

static int setup(void **state)
{
	struct self *self = calloc(1, sizeof(*self));
	struct err err;

	assert_non_null(self);
	maps_init(&self->maps);
	assert_int_equal(maps_read(&self->maps, getpid(), &err), 0);
	self->modules = modules_new(getpid(), &self->maps, &err);
	assert_non_null(self->modules);
	self->symbolizer = symbolizer_new(getpid(), &self->maps, self->modules, &err);
	assert_non_null(self->symbolizer);
	model_init(&self->model);
	self->process = model_add_process(&self->model, (uint32_t)getpid(), 0);
	*state = self;
	return 0;
}

static int teardown(void **state)
{
	struct self *self = *state;

	symbolizer_free(self->symbolizer);
	modules_free(self->modules);
	maps_release(&self->maps);
	model_release(&self->model);
	free(self);
	return 0;
}

static const struct model_loc *name_pc(struct self *self, uint64_t pc, bool exact)
{
	uint32_t idx = model_intern_loc(&self->model, self->process, 0, pc, exact);

	assert_int_equal(symbolizer_run(self->symbolizer, &self->model, self->process), 0);
	assert_int_equal(symbolize_rest(self->symbolizer, &self->model, self->process), 0);
	assert_true(model_loc(&self->model, idx)->frame_cnt > 0);
	return model_loc(&self->model, idx);
}

static const char *file_name(const struct self *self, const struct model_frame *frame)
{
	const char *path = model_str(&self->model, frame->file);
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void assert_frame(const struct self *self, const struct model_frame *frame, const char *func,
			 uint32_t line, bool inlined)
{
	assert_string_equal(model_str(&self->model, frame->func), func);
	assert_string_equal(file_name(self, frame), "test_symbolize.c");
	assert_int_equal(frame->line, line);
	assert_int_equal(frame->inlined, inlined);
	assert_false(frame->kernel);
}

static void test_inlined_functions_have_frames(void **state)
{
	struct self *self = *state;
	uint64_t pc = outer();
	const struct model_loc *loc = name_pc(self, pc, false);
	const struct model_frame *frames = model_loc_frames(&self->model, loc);
	char exe[4096];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	assert_true(len > 0);
	exe[len] = '\0';
	assert_int_equal(loc->frame_cnt, 3);
	assert_frame(self, &frames[0], "inner", leaf_line, true);
	assert_frame(self, &frames[1], "middle", inner_line, true);
	assert_frame(self, &frames[2], "outer", middle_line, false);
	assert_int_equal(frames[2].func_off, pc - (uint64_t)(uintptr_t)outer);
	assert_string_equal(model_str(&self->model, frames[2].module), exe);
	assert_int_equal(self->model.losses[LOSS_SYMBOLS_UNREADABLE], 0);
}

/* A call that never returns may be a function's last instruction: its return address is another's.
 */
static void test_return_addresses_belong_to_the_call(void **state)
{
	struct self *self = *state;
	uint64_t start = (uint64_t)(uintptr_t)return_address;
	const struct model_frame *frame =
		model_loc_frames(&self->model, name_pc(self, start, true));

	assert_string_equal(model_str(&self->model, frame->func), "return_address");
	assert_int_equal(frame->func_off, 0);
	frame = model_loc_frames(&self->model, name_pc(self, start, false));
	assert_string_not_equal(model_str(&self->model, frame->func), "return_address");
}

static void test_code_of_symbols_alone_has_its_line(void **state)
{
	struct self *self = *state;
	uint64_t merged = (uint64_t)(uintptr_t)symbolize_test_merged;
	uint64_t bare = (uint64_t)(uintptr_t)symbolize_test_bare;
	const struct model_frame *frame =
		model_loc_frames(&self->model, name_pc(self, merged + 4, true));

	assert_frame(self, frame, "symbolize_test_merged", MERGED_LINE, false);
	assert_int_equal(frame->func_off, 4);
	frame = model_loc_frames(&self->model, name_pc(self, bare + 4, true));
	assert_string_equal(model_str(&self->model, frame->func), "symbolize_test_bare");
	assert_string_equal(file_name(self, frame), "");
	assert_int_equal(frame->line, 0);
}

static void test_code_of_libraries_is_named(void **state)
{
	struct self *self = *state;
	const struct model_loc *loc = name_pc(self, (uint64_t)(uintptr_t)vec_push + 4, true);
	const struct model_frame *frames = model_loc_frames(&self->model, loc);

	assert_string_equal(model_str(&self->model, frames[loc->frame_cnt - 1].func), "vec_push");
	assert_string_equal(file_name(self, &frames[loc->frame_cnt - 1]), "vec.c");
	assert_int_equal(frames[loc->frame_cnt - 1].func_off, 4);
	/* In libc itself, not in this program's own table of jumps to it. */
	loc = name_pc(self, (uint64_t)(uintptr_t)getppid + 2, true);
	frames = model_loc_frames(&self->model, loc);
	assert_non_null(
		strstr(model_str(&self->model, frames[loc->frame_cnt - 1].func), "getppid"));
	assert_non_null(strstr(model_str(&self->model, frames[0].module), "libc"));
}

static void test_every_loc_gets_a_frame(void **state)
{
	static const uint64_t pcs[] = { 0, 1, 0x1000, UINT64_MAX, 0xffffffffff600000 };
	struct self *self = *state;
	uint64_t data = (uint64_t)(uintptr_t)symbolize_test_data;

	for (size_t i = 0; i < sizeof(pcs) / sizeof(pcs[0]); i++) {
		const struct model_loc *loc = name_pc(self, pcs[i], false);
		const struct model_frame *frame = model_loc_frames(&self->model, loc);

		assert_int_equal(loc->frame_cnt, 1);
		assert_int_equal(frame->func, 0);
		assert_int_equal(frame->file, 0);
		assert_int_equal(frame->module_off, pcs[i]);
	}
	/* Data is no function. */
	assert_int_equal(model_loc_frames(&self->model, name_pc(self, data, true))->func, 0);
}

/* As when a process has ended before its files were opened. */
static void test_a_map_alone_tells_the_file(void **state)
{
	struct self *self = *state;
	uint64_t pc = (uint64_t)(uintptr_t)outer;
	const struct mapping *mapping = maps_find(&self->maps, pc);
	uint32_t code = maps_code(&self->maps, pc);
	uint32_t first = model_intern_loc(&self->model, self->process, code, pc, true);
	uint32_t second = model_intern_loc(&self->model, self->process, code, pc + 1, true);
	uint32_t other = model_intern_loc(&self->model, self->process, code + 1, pc, true);
	const struct model_frame *frame;

	assert_int_equal(
		symbolize_by_map(self->symbolizer, &self->maps, &self->model, self->process), 0);
	assert_int_equal(model_loc(&self->model, first)->frame_cnt, 0); /* it may name it */
	assert_int_equal(symbolize_by_map(NULL, &self->maps, &self->model, self->process), 0);
	assert_int_equal(model_loc(&self->model, other)->frame_cnt, 0);
	assert_int_equal(model_loc(&self->model, first)->frame_cnt, 1);
	assert_int_equal(model_loc(&self->model, second)->frame_cnt, 1);
	frame = model_loc_frames(&self->model, model_loc(&self->model, first));
	assert_int_equal(frame->func, 0);
	assert_string_equal(model_str(&self->model, frame->module),
			    maps_path(&self->maps, mapping));
	assert_int_equal(frame->module_off, pc - mapping->start_addr + mapping->file_off);
	assert_int_equal(self->model.losses[LOSS_MODULES_UNREADABLE], 1);
}

static void test_variables_are_named(void **state)
{
	struct self *self = *state;
	uint64_t data = (uint64_t)(uintptr_t)symbolize_test_data;
	int on_stack = 0;
	char text[64];

	zeroed_data[1000] = 1;
	assert_int_equal(symbolizer_name_data(self->symbolizer, data, text, sizeof(text)), 1);
	assert_string_equal(text, "symbolize_test_data");
	assert_int_equal(symbolizer_name_data(self->symbolizer, data + 12, text, sizeof(text)), 1);
	assert_string_equal(text, "symbolize_test_data+0xc");
	assert_int_equal(symbolizer_name_data(self->symbolizer,
					      (uint64_t)(uintptr_t)&zeroed_data[65000], text,
					      sizeof(text)),
			 1);
	assert_string_equal(text, "zeroed_data+0x3f7a0");
	assert_int_equal(symbolizer_name_data(self->symbolizer, (uint64_t)(uintptr_t)&on_stack,
					      text, sizeof(text)),
			 0);
	assert_string_equal(text, "");
	assert_int_equal(symbolizer_name_data(self->symbolizer, 0, text, sizeof(text)), 0);
	assert_int_equal(symbolizer_name_data(self->symbolizer, data + 12, text, 8), 1);
	assert_string_equal(text, "symboli");
}

/* Code in anonymous memory is the JIT's, by the name that its map gives. */
static void test_jit_code_is_named(void **state)
{
	struct self *self = *state;
	void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t addr = (uint64_t)(uintptr_t)code;
	const struct model_frame *frame;
	struct err err;
	char path[64];
	FILE *file;

	assert_ptr_not_equal(code, MAP_FAILED);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	unlink(path);
	file = fopen(path, "wxe");
	assert_non_null(file);
	fprintf(file, "%llx 20 Lazy:_Z3foov a.js:1\n", (unsigned long long)addr);
	fclose(file);
	assert_int_equal(maps_read(&self->maps, getpid(), &err), 0);

	frame = model_loc_frames(&self->model, name_pc(self, addr + 0x10, false));
	unlink(path);
	assert_string_equal(model_str(&self->model, frame->func), "Lazy:_Z3foov a.js:1");
	assert_string_equal(model_str(&self->model, frame->module), "[jit]");
	assert_int_equal(frame->func_off, 0x10);
	frame = model_loc_frames(&self->model, name_pc(self, addr + 0x30, false));
	assert_int_equal(frame->func, 0);
	assert_string_equal(model_str(&self->model, frame->module), "[jit]");
	munmap(code, 4096);
}

/* Reads the next "function, file:line" of addr2line, and compares it with @frame. Returns whether
 * there was one. */
static bool compare_with_addr2line(FILE *output, const struct self *self,
				   const struct model_frame *frame)
{
	char func[512], place[4096], *colon;

	if (!fgets(func, sizeof(func), output) || !fgets(place, sizeof(place), output))
		return false;
	func[strcspn(func, "\n")] = '\0';
	place[strcspn(place, "\n")] = '\0';
	if (strstr(place, " (discriminator"))
		*strstr(place, " (discriminator") = '\0';
	colon = strrchr(place, ':');
	assert_non_null(colon);
	*colon = '\0';
	assert_string_equal(func, model_str(&self->model, frame->func));
	assert_string_equal(strrchr(place, '/') ? strrchr(place, '/') + 1 : place,
			    file_name(self, frame));
	assert_int_equal(atoi(colon + 1), frame->line);
	return true;
}

/* Not for clang: this addr2line does not find its inlined functions. */
#ifndef __clang__
static void test_agrees_with_addr2line(void **state)
{
	struct self *self = *state;
	const uint64_t starts[] = {
		(uint64_t)(uintptr_t)outer,
		(uint64_t)(uintptr_t)model_sort,
		(uint64_t)(uintptr_t)maps_parse,
		(uint64_t)(uintptr_t)symbolizer_run,
	};
	uint32_t compared_cnt = 0;

	if (system("addr2line --version >/dev/null 2>&1"))
		skip();
	for (uint32_t i = 0; i < 16; i++) {
		uint64_t pc = starts[i / 4] + i % 4 * 16;
		const struct model_loc *loc = name_pc(self, pc, true);
		const struct model_frame *frames = model_loc_frames(&self->model, loc);
		char command[128];
		FILE *output;

		snprintf(command, sizeof(command), "addr2line -f -i -e /proc/%d/exe 0x%llx",
			 getpid(), (unsigned long long)frames[0].module_off);
		output = popen(command, "re");
		assert_non_null(output);
		for (uint32_t f = 0; f < loc->frame_cnt; f++, compared_cnt++)
			assert_true(compare_with_addr2line(output, self, &frames[f]));
		assert_int_equal(fgetc(output), EOF);
		assert_int_equal(pclose(output), 0);
	}
	assert_true(compared_cnt >= 16);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_inlined_functions_have_frames, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_return_addresses_belong_to_the_call, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_code_of_symbols_alone_has_its_line, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_code_of_libraries_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_loc_gets_a_frame, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_map_alone_tells_the_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_variables_are_named, setup, teardown),
		cmocka_unit_test_setup_teardown(test_jit_code_is_named, setup, teardown),
#ifndef __clang__
		cmocka_unit_test_setup_teardown(test_agrees_with_addr2line, setup, teardown),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
