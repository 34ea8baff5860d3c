/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The walk and what it stands on, against libgcc's own unwinder in this very process. */
#include "unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "collect/stackset.h"
#include "proc/maps.h"
#include "proc/modules.h"
#include "unwind/arch.h"
#include "unwind/cfi.h"
#include "unwind/walk.h"

#define STACK_BYTES 16384
#define BACKTRACE_MAX 64

/* What one call chain left behind: its registers, its stack, and libgcc's view of it. */
struct trail {
	uint64_t reg[33];
	uint64_t sp;
	uint8_t stack[STACK_BYTES];
	size_t stack_bytes;
	uint64_t backtrace[BACKTRACE_MAX];
	int backtrace_cnt;
};

static void keep_registers(struct trail *trail, const ucontext_t *context)
{
	static const int gregs[17] = { REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
				       REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
				       REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP };

	for (int i = 0; i < 17; i++)
		trail->reg[i] = (uint64_t)context->uc_mcontext.gregs[gregs[i]];
	trail->sp = trail->reg[7];
}

/* Copies up to the end of the stack's mapping, as a sample of the CPU clock would. */
__attribute__((no_sanitize("address"))) static void keep_stack(struct trail *trail)
{
	struct maps maps;
	const struct mapping *mapping;
	uint64_t room;

	maps_init(&maps);
	assert_int_equal(maps_read(&maps, getpid(), NULL), 0);
	mapping = maps_find(&maps, trail->sp);
	assert_non_null(mapping);
	room = mapping->end_addr - trail->sp;
	trail->stack_bytes = room < STACK_BYTES ? room : STACK_BYTES;
	for (size_t i = 0; i < trail->stack_bytes; i++)
		trail->stack[i] = ((const volatile uint8_t *)(uintptr_t)trail->sp)[i];
	maps_release(&maps);
}

static _Unwind_Reason_Code add_backtrace(struct _Unwind_Context *context, void *arg)
{
	struct trail *trail = arg;

	/* Some versions report the caller that the outermost frame does not have, as 0. */
	if (trail->backtrace_cnt == BACKTRACE_MAX || !_Unwind_GetIP(context))
		return _URC_END_OF_STACK;
	trail->backtrace[trail->backtrace_cnt++] = _Unwind_GetIP(context);
	return _URC_NO_REASON;
}

__attribute__((noinline)) static int leave_trail(struct trail *trail, int depth)
{
	ucontext_t context;

	getcontext(&context);
	keep_registers(trail, &context);
	keep_stack(trail);
	trail->backtrace_cnt = 0;
	_Unwind_Backtrace(add_backtrace, trail);
	return depth + 1;
}

__attribute__((noinline)) static int descend(struct trail *trail, int depth)
{
	volatile char room[48] __attribute__((aligned(32)));

	room[0] = (char)depth;
	return (depth ? descend(trail, depth - 1) : leave_trail(trail, depth)) + room[0];
}

struct space {
	struct maps maps;
	struct modules *modules;
	struct unwinder *unwinder;
};

static void space_open(struct space *space)
{
	maps_init(&space->maps);
	assert_int_equal(maps_read(&space->maps, getpid(), NULL), 0);
	space->modules = modules_new(getpid(), &space->maps, NULL);
	assert_non_null(space->modules);
	space->unwinder = unwinder_new(getpid(), &space->maps, space->modules, NULL);
	assert_non_null(space->unwinder);
}

static void space_close(struct space *space)
{
	unwinder_free(space->unwinder);
	modules_free(space->modules);
	maps_release(&space->maps);
}

static void test_walk_agrees_with_libgcc(void **state)
{
	static struct trail trail;
	static struct stack_memory memory;
	static struct walk walk;
	struct space space;

	(void)state;
	descend(&trail, 12);
	space_open(&space);
	stack_memory_init_copy(&memory, trail.sp, trail.stack, trail.stack_bytes);
	unwinder_walk(space.unwinder, trail.reg, &memory, &walk);
	assert_int_equal(walk.quality, STACK_COMPLETE);
	assert_int_equal(walk.end, STACK_END_ROOT);
	assert_true(trail.backtrace_cnt > 14);
	assert_int_equal(walk.pc_cnt, trail.backtrace_cnt);
	/* The leaf differs: one was taken at getcontext, the other at _Unwind_Backtrace. */
	for (uint32_t i = 1; i < walk.pc_cnt; i++)
		assert_int_equal(walk.pc[i], trail.backtrace[i]);
	space_close(&space);
}

static void test_short_copy_is_truncated(void **state)
{
	static struct trail trail;
	static struct stack_memory memory;
	static struct walk whole, cut;
	struct space space;

	(void)state;
	descend(&trail, 12);
	space_open(&space);
	stack_memory_init_copy(&memory, trail.sp, trail.stack, trail.stack_bytes);
	unwinder_walk(space.unwinder, trail.reg, &memory, &whole);
	for (size_t len = 0; len < 1024; len += 8) {
		stack_memory_init_copy(&memory, trail.sp, trail.stack, len);
		unwinder_walk(space.unwinder, trail.reg, &memory, &cut);
		if (cut.quality == STACK_COMPLETE)
			break;
		assert_int_equal(cut.quality, STACK_TRUNCATED);
		assert_int_equal(cut.end, STACK_END_COPY_SHORT);
		assert_true(cut.pc_cnt < whole.pc_cnt);
		assert_memory_equal(cut.pc, whole.pc, cut.pc_cnt * sizeof(cut.pc[0]));
	}
	space_close(&space);
}

/* A stack of garbage ends somewhere, and never claims to be complete. */
static void test_garbage_is_never_complete(void **state)
{
	static struct trail trail;
	static struct stack_memory memory;
	static struct walk walk;
	uint64_t seed = 88172645463325252ULL;
	struct space space;

	(void)state;
	descend(&trail, 2);
	space_open(&space);
	for (int round = 0; round < 2000; round++) {
		for (size_t i = 0; i < STACK_BYTES / 8; i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			memcpy(trail.stack + i * 8, &seed, 8);
		}
		stack_memory_init_copy(&memory, trail.sp, trail.stack, STACK_BYTES);
		unwinder_walk(space.unwinder, trail.reg, &memory, &walk);
		assert_int_not_equal(walk.quality, STACK_COMPLETE);
		assert_int_not_equal(walk.end, STACK_END_ROOT);
	}
	space_close(&space);
}

static void test_pc_outside_every_mapping(void **state)
{
	static struct stack_memory memory;
	static struct walk walk;
	uint64_t reg[33] = { 0 };
	struct space space;

	(void)state;
	space_open(&space);
	stack_memory_init_copy(&memory, 0, reg, 0);
	unwinder_walk(space.unwinder, reg, &memory, &walk);
	assert_int_equal(walk.pc_cnt, 1);
	assert_int_equal(walk.end, STACK_END_NO_RULE);
	reg[16] = UINT64_MAX;
	unwinder_walk(space.unwinder, reg, &memory, &walk);
	assert_int_equal(walk.end, STACK_END_NO_RULE);
	space_close(&space);
}

static uint64_t restorer_pc;

static void note_restorer(int signal_nr)
{
	(void)signal_nr;
	/* NOLINTNEXTLINE(bugprone-signal-handler): it reads a register and calls nothing */
	restorer_pc = (uint64_t)(uintptr_t)__builtin_return_address(0);
}

static void test_kernels_signal_frame_has_a_rule(void **state)
{
	struct space space;
	struct cfi *cfi;

	(void)state;
	assert_ptr_not_equal(signal(SIGUSR1, note_restorer), SIG_ERR);
	raise(SIGUSR1);
	space_open(&space);
	cfi = cfi_new(&space.maps, space.modules, NULL);
	assert_non_null(cfi);
	assert_int_equal(cfi_rule(cfi, restorer_pc, false).kind, RULE_SIGFRAME);
	cfi_free(cfi);
	space_close(&space);
}

#if defined(__x86_64__)

/* Code whose call frame information is unusual; all of it has its return address at sp. */
__asm__(".pushsection .text\n"
	/* CFA = rsp + 8, by an expression that no rule holds */
	"complex_code: .cfi_startproc\n"
	".cfi_escape 0x0f, 5, 0x77, 0, 0x38, 0x22, 0x96\n"
	"nop\n complex_pc: ret\n"
	".cfi_endproc\n"
	/* marked as interrupted, but not by the kernel */
	"marked_code: .cfi_startproc\n"
	".cfi_signal_frame\n"
	"nop\n marked_pc: ret\n"
	".cfi_endproc\n"
	"bare_code: nop\n bare_pc: nop\n syscall\n bare_syscall_pc: ret\n"
	".popsection\n");
extern const char complex_pc[], marked_pc[], bare_pc[], bare_syscall_pc[];

/* Walks from @pc over a stack whose first words are @words. */
static void walk_words(const char *pc, const uint64_t *words, size_t cnt, struct walk *ret)
{
	static struct stack_memory memory;
	uint64_t reg[33] = { 0 };
	struct space space;

	space_open(&space);
	reg[16] = (uint64_t)(uintptr_t)pc;
	reg[7] = 0x10000;
	reg[6] = reg[7] + 32;
	stack_memory_init_copy(&memory, reg[7], words, cnt * sizeof(words[0]));
	unwinder_walk(space.unwinder, reg, &memory, ret);
	space_close(&space);
}

static void test_evaluator_finds_no_end_of_its_own(void **state)
{
	/* Return addresses that are none; behind them a chain of frame pointers to follow. */
	static const uint64_t bad[] = { 0, 8, 0x7ffffffff000 };
	static struct walk walk;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t words[16] = {
			bad[i], 0, 0, 0, 0x10000 + 64, (uint64_t)(uintptr_t)bare_pc
		};

		walk_words(complex_pc, words, 16, &walk);
		assert_int_equal(walk.pc_cnt, 1);
		assert_int_equal(walk.quality, STACK_TRUNCATED);
		assert_int_not_equal(walk.end, STACK_END_ROOT);
	}
}

static void test_mark_of_signal_frames_is_not_enough(void **state)
{
	uint64_t words[64] = { (uint64_t)(uintptr_t)complex_pc };
	static struct walk walk;

	(void)state;
	/* Where the kernel's frame would have the interrupted pc. */
	words[21] = (uint64_t)(uintptr_t)bare_pc;
	walk_words(marked_pc, words, 64, &walk);
	assert_true(walk.pc_cnt >= 2);
	assert_int_equal(walk.pc[1], words[0]);
	assert_int_not_equal(walk.quality, STACK_COMPLETE);
}

static void test_leaf_without_cfi_is_guessed(void **state)
{
	static struct trail trail;
	static struct walk walk;
	uint64_t words[2] = { 0 };
	struct space space;
	struct rule rule;

	(void)state;
	descend(&trail, 2);
	words[0] = trail.backtrace[2];
	walk_words(bare_pc, words, 2, &walk);
	assert_true(walk.pc_cnt >= 2);
	assert_int_equal(walk.quality, STACK_GUESSED);
	assert_int_equal(walk.guessed_idx, 1);

	/* A stub of a system call pushes nothing. */
	walk_words(bare_syscall_pc, words, 2, &walk);
	assert_true(walk.pc_cnt >= 2);
	assert_int_equal(walk.pc[1], words[0]);
	assert_int_not_equal(walk.quality, STACK_GUESSED);

	/* So it is for the walks of the kernel. */
	space_open(&space);
	rule = unwinder_rule(space.unwinder, (uint64_t)(uintptr_t)bare_pc, true);
	assert_true(rule.flags & RULE_LEAF);
	rule = unwinder_rule(space.unwinder, (uint64_t)(uintptr_t)bare_syscall_pc, true);
	assert_int_equal(rule.kind, RULE_SP);
	assert_false(rule.flags & RULE_LEAF);
	space_close(&space);
}

#endif

static void test_call_instructions(void **state)
{
	static const struct {
		uint8_t bytes[ARCH_CALL_BYTES_MAX];
		bool is_call;
	} cases[] = {
		{ { 0x90, 0x90, 0xe8, 1, 2, 3, 4 }, true },		 /* call rel32 */
		{ { 0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0xd0 }, true },	 /* call *%rax */
		{ { 0x90, 0x90, 0x90, 0x90, 0xff, 0x50, 0x08 }, true },	 /* call *8(%rax) */
		{ { 0x90, 0x90, 0x90, 0xff, 0x54, 0x24, 0x08 }, true },	 /* call *8(%rsp) */
		{ { 0x90, 0xff, 0x15, 1, 2, 3, 4 }, true },		 /* call *x(%rip) */
		{ { 0xff, 0x94, 0x24, 1, 2, 3, 4 }, true },		 /* call *x(%rsp) */
		{ { 0xff, 0x14, 0xc5, 1, 2, 3, 4 }, true },		 /* call *x(,%rax,8) */
		{ { 0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0xe0 }, false }, /* jmp *%rax */
		{ { 0x90, 0x90, 0x90, 0x90, 0x90, 0x0f, 0x05 }, false }, /* syscall */
		{ { 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90 }, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(arch_is_after_call(cases[i].bytes), cases[i].is_call);
}

static void test_stackset_keeps_each_stack_once(void **state)
{
	static struct walk walk = { .pc_cnt = 3,
				    .quality = STACK_COMPLETE,
				    .end = STACK_END_ROOT,
				    .pc = { 0x1000, 0x2000, 0x3000 },
				    .exact = { true } };
	static struct walk found;
	struct stackset set;
	struct model model;
	uint32_t first, other, idx;

	(void)state;
	stackset_init(&set);
	first = stackset_add(&set, 1, &walk);
	assert_int_equal(stackset_add(&set, 1, &walk), first);
	walk.exact[2] = true;
	other = stackset_add(&set, 1, &walk);
	assert_int_not_equal(other, first);

	model_init(&model);
	model_add_process(&model, 1, 0);
	idx = stackset_to_model(&set, other, &model, 0, NULL);
	assert_int_equal(model_stack(&model, idx)->loc_cnt, 3);
	assert_int_equal(model_stack_loc(&model, model_stack(&model, idx), 2)->pc, 0x3000);
	assert_true(model_stack_loc(&model, model_stack(&model, idx), 2)->exact);
	/* The frame above what was interrupted is the signal's: rules know it as a return address,
	 * names as what it is, since before it lies another function, or none. */
	assert_true(model_stack_loc(&model, model_stack(&model, idx), 1)->exact);
	stackset_walk(&set, other, &found);
	assert_false(found.exact[1]);
	assert_true(found.exact[2]);
	idx = stackset_to_model(&set, first, &model, 0, NULL);
	assert_true(model_stack_loc(&model, model_stack(&model, idx), 0)->exact);
	assert_false(model_stack_loc(&model, model_stack(&model, idx), 1)->exact);

	/* Kernel addresses have the bit set that marks exact user ones. */
	walk.pc[0] = 0xffffffff81000000ULL;
	walk.pc[1] = 0xffffffff82000000ULL;
	walk.pc_cnt = 2;
	idx = stackset_to_model(&set, stackset_add(&set, 2, &walk), &model, MODEL_NONE, NULL);
	assert_int_equal(model_stack_loc(&model, model_stack(&model, idx), 0)->pc, walk.pc[0]);
	assert_true(model_stack_loc(&model, model_stack(&model, idx), 0)->exact);
	assert_int_equal(model_stack_loc(&model, model_stack(&model, idx), 1)->pc, walk.pc[1]);
	assert_false(model_stack_loc(&model, model_stack(&model, idx), 1)->exact);
	model_release(&model);
	stackset_release(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk_agrees_with_libgcc),
		cmocka_unit_test(test_short_copy_is_truncated),
		cmocka_unit_test(test_garbage_is_never_complete),
		cmocka_unit_test(test_pc_outside_every_mapping),
		cmocka_unit_test(test_kernels_signal_frame_has_a_rule),
#if defined(__x86_64__)
		cmocka_unit_test(test_evaluator_finds_no_end_of_its_own),
		cmocka_unit_test(test_mark_of_signal_frames_is_not_enough),
		cmocka_unit_test(test_leaf_without_cfi_is_guessed),
#endif
		cmocka_unit_test(test_call_instructions),
		cmocka_unit_test(test_stackset_keeps_each_stack_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
