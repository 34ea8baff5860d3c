/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What futex calls do, told by their arguments: the same code runs in the kernel. */
#include "unit.h"

#include <linux/futex.h>

#include "bpf/wire.h"

#define ADDR 0x55d1c0de4010
#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

static struct futex_act decode(enum futex_call call, __u64 a, __u64 b, __u64 c, __u64 d)
{
	const __u64 arg[FUTEX_CALL_ARGS] = { a, b, c, d };
	struct futex_act act;

	futex_decode(call, arg, &act);
	return act;
}

static void test_commands(void **state)
{
	static const struct {
		uint32_t command, op;
	} commands[] = {
		{ FUTEX_WAIT, WIRE_FUTEX_WAIT },
		{ FUTEX_WAIT_BITSET, WIRE_FUTEX_WAIT },
		{ FUTEX_WAKE, WIRE_FUTEX_WAKE },
		{ FUTEX_WAKE_BITSET, WIRE_FUTEX_WAKE },
		{ FUTEX_REQUEUE, WIRE_FUTEX_REQUEUE },
		{ FUTEX_CMP_REQUEUE, WIRE_FUTEX_REQUEUE },
		{ FUTEX_CMP_REQUEUE_PI, WIRE_FUTEX_REQUEUE },
		{ FUTEX_WAKE_OP, WIRE_FUTEX_WAKE_OP },
		{ FUTEX_LOCK_PI, WIRE_FUTEX_LOCK_PI },
		{ FUTEX_LOCK_PI2, WIRE_FUTEX_LOCK_PI },
		{ FUTEX_UNLOCK_PI, WIRE_FUTEX_UNLOCK_PI },
		{ FUTEX_WAIT_REQUEUE_PI, WIRE_FUTEX_WAIT_REQUEUE_PI },
		{ FUTEX_TRYLOCK_PI, WIRE_FUTEX_NONE },
		{ FUTEX_FD, WIRE_FUTEX_NONE },
		{ 14, WIRE_FUTEX_NONE },
		{ 127, WIRE_FUTEX_NONE },
		{ 512, WIRE_FUTEX_NONE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		uint32_t command = commands[i].command;

		assert_int_equal(futex_op_of(command), commands[i].op);
		/* glibc's waits carry both. */
		assert_int_equal(futex_op_of(command | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME),
				 commands[i].op);
	}
}

static void test_multiplexed_call(void **state)
{
	struct futex_act act =
		decode(FUTEX_CALL_ANY, ADDR, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 7, 0);

	(void)state;
	assert_true(act.addr == ADDR);
	assert_int_equal(act.op, WIRE_FUTEX_WAIT);
	assert_false(act.is_shared);
	assert_true(act.list == 0);
	act = decode(FUTEX_CALL_ANY, ADDR, FUTEX_CMP_REQUEUE, 3, 100);
	assert_int_equal(act.op, WIRE_FUTEX_REQUEUE);
	assert_int_equal(act.wake_max, 3);
	assert_true(act.is_shared);
	/* Only the low half is the operation. */
	act = decode(FUTEX_CALL_ANY, ADDR, 0xdead00000000 | FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0);
	assert_int_equal(act.op, WIRE_FUTEX_WAKE);
	assert_int_equal(decode(FUTEX_CALL_ANY, ADDR, 14, 0, 0).op, WIRE_FUTEX_NONE);
}

static void test_newer_calls(void **state)
{
	struct futex_act act = decode(FUTEX_CALL_WAIT, ADDR, 5, ~0ull, 2 | FUTEX_OP_PRIVATE);

	(void)state;
	assert_int_equal(act.op, WIRE_FUTEX_WAIT);
	assert_true(act.addr == ADDR);
	assert_false(act.is_shared);
	assert_true(decode(FUTEX_CALL_WAIT, ADDR, FUTEX_OP_PRIVATE, 0, 2).is_shared);
	act = decode(FUTEX_CALL_WAKE, ADDR, ~0ull, 1, 2);
	assert_int_equal(act.op, WIRE_FUTEX_WAKE);
	assert_true(act.is_shared);
	assert_int_equal(decode(FUTEX_CALL_NONE, ADDR, FUTEX_WAKE, 1, 0).op, WIRE_FUTEX_NONE);
}

static void test_lists(void **state)
{
	const struct wire_futex_waitv shared = { .value = 1, .addr = ADDR, .flags = 2 };
	const struct wire_futex_waitv own = { .addr = ADDR + 4, .flags = 2 | FUTEX_OP_PRIVATE };
	struct futex_act act = decode(FUTEX_CALL_REQUEUE, 0x7fff0000, 0, 2, 100);

	(void)state;
	assert_int_equal(act.op, WIRE_FUTEX_REQUEUE);
	assert_true(act.list == 0x7fff0000);
	assert_true(act.addr == 0);
	assert_int_equal(act.wake_max, 2);
	futex_take_element(&act, &shared);
	assert_true(act.addr == ADDR && act.is_shared);
	act = decode(FUTEX_CALL_WAITV, 0x7fff0000, 2, 0, 0);
	assert_int_equal(act.op, WIRE_FUTEX_WAITV);
	futex_take_element(&act, &own);
	assert_true(act.addr == ADDR + 4 && !act.is_shared);
}

static void test_which_wait(void **state)
{
	static const uint32_t waiting[] = { WIRE_FUTEX_WAIT, WIRE_FUTEX_WAITV, WIRE_FUTEX_LOCK_PI,
					    WIRE_FUTEX_WAIT_REQUEUE_PI };
	static const uint32_t others[] = { WIRE_FUTEX_NONE, WIRE_FUTEX_WAKE, WIRE_FUTEX_WAKE_OP,
					   WIRE_FUTEX_UNLOCK_PI, WIRE_FUTEX_REQUEUE };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
		assert_true(futex_op_waits(waiting[i]));
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_false(futex_op_waits(others[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),    cmocka_unit_test(test_multiplexed_call),
		cmocka_unit_test(test_newer_calls), cmocka_unit_test(test_lists),
		cmocka_unit_test(test_which_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
