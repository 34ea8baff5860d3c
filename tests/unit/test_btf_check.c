/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What is wrong with types of a file that libbpf reads all the same. */
#include "unit.h"

#include <errno.h>

#include "capture/btf_check.h"

#define NOWHERE 0x7ffffff0 /* neither a name nor a type */

/* The ids of the first types, in the order in which they are added. */
enum { INT = 1, PTR, STRUCT, ENUM };

static struct btf *btf;

static int set_up(void **state)
{
	(void)state;
	btf = btf__new_empty();
	assert_non_null(btf);
	assert_int_equal(btf__add_int(btf, "int", 4, BTF_INT_SIGNED), INT);
	assert_int_equal(btf__add_ptr(btf, STRUCT), PTR);
	assert_int_equal(btf__add_struct(btf, "list", 16), STRUCT);
	assert_int_equal(btf__add_field(btf, "next", PTR, 0, 0), 0);
	assert_int_equal(btf__add_field(btf, "number", INT, 64, 0), 0);
	assert_int_equal(btf__add_enum(btf, "state", 4), ENUM);
	assert_int_equal(btf__add_enum_value(btf, "RUNNING", 0), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	btf__free(btf);
	return 0;
}

static struct btf_type *type_of(int id)
{
	assert_true(id > 0);
	return (struct btf_type *)btf__type_by_id(btf, (uint32_t)id);
}

static void test_sound(void **state)
{
	(void)state;
	assert_true(btf__add_array(btf, INT, STRUCT, 3) > 0);
	assert_true(btf__add_enum64(btf, "wide", 8, false) > 0);
	assert_int_equal(btf__add_enum64_value(btf, "WIDE", 1), 0);
	assert_true(btf__add_func_proto(btf, 0) > 0);
	assert_int_equal(btf__add_func_param(btf, "list", PTR), 0);
	assert_true(btf__add_const(btf, 0) > 0);
	assert_int_equal(btf_check(btf), 0);
}

static void test_names(void **state)
{
	static const int ids[] = { INT, PTR, STRUCT, ENUM };

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		uint32_t before = type_of(ids[i])->name_off;

		type_of(ids[i])->name_off = NOWHERE;
		assert_int_equal(btf_check(btf), -EBADMSG);
		type_of(ids[i])->name_off = before;
	}
	btf_enum(type_of(ENUM))->name_off = NOWHERE;
	assert_int_equal(btf_check(btf), -EBADMSG);
}

static void test_names_of_members(void **state)
{
	(void)state;
	btf_members(type_of(STRUCT))[1].name_off = NOWHERE;
	assert_int_equal(btf_check(btf), -EBADMSG);
}

static void test_types(void **state)
{
	(void)state;
	type_of(PTR)->type = NOWHERE;
	assert_int_equal(btf_check(btf), -EBADMSG);
	type_of(PTR)->type = ENUM + 1;
	assert_int_equal(btf_check(btf), -EBADMSG);
	type_of(PTR)->type = ENUM;
	assert_int_equal(btf_check(btf), 0);
	btf_members(type_of(STRUCT))[1].type = NOWHERE;
	assert_int_equal(btf_check(btf), -EBADMSG);
}

static void test_array_of_nothing(void **state)
{
	(void)state;
	assert_true(btf__add_array(btf, INT, NOWHERE, 3) > 0);
	assert_int_equal(btf_check(btf), -EBADMSG);
}

static void test_circles(void **state)
{
	int first = (int)btf__type_cnt(btf);

	(void)state;
	assert_int_equal(btf__add_typedef(btf, "one", first + 1), first);
	assert_int_equal(btf__add_const(btf, first), first + 1);
	assert_int_equal(btf_check(btf), -EBADMSG);
	type_of(first + 1)->type = INT;
	assert_int_equal(btf_check(btf), 0);
	btf_members(type_of(STRUCT))[1].type = STRUCT;
	assert_int_equal(btf_check(btf), -EBADMSG);
}

static void test_deep(void **state)
{
	(void)state;
	/* Each is of the one that follows. */
	for (int i = 0; i < 1000; i++)
		assert_true(btf__add_typedef(btf, "again", (int)btf__type_cnt(btf) + 1) > 0);
	assert_true(btf__add_typedef(btf, "again", INT) > 0);
	assert_int_equal(btf_check(btf), -EBADMSG);
}

/* Each has the one before it twice: nobody gets to the end of the last one. */
static void test_too_many_parts(void **state)
{
	int last = INT;

	(void)state;
	for (int i = 0; i < 64; i++) {
		int outer = btf__add_union(btf, NULL, 4);

		assert_int_equal(btf__add_field(btf, NULL, last, 0, 0), 0);
		assert_int_equal(btf__add_field(btf, NULL, last, 0, 0), 0);
		last = outer;
	}
	assert_int_equal(btf_check(btf), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sound, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_names_of_members, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_types, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_array_of_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_circles, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_deep, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_many_parts, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
