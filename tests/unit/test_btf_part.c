/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Of a made-up kernel's types, those that a program names. */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "capture/btf_part.h"

/* The ids of the kernel's first types, in the order in which they are added. */
enum { INT = 1, PTR, STATE, INNER, CONST_INNER, LIST, ARRAY, FUNC_PROTO, CALLBACK };

static struct btf *kernel;
static struct btf *local;

static void add_struct(struct btf *btf, const char *name, uint32_t bytes)
{
	assert_true(btf__add_struct(btf, name, bytes) > 0);
}

static void add_field(struct btf *btf, const char *name, int type, uint32_t bit, uint32_t bits)
{
	assert_int_equal(btf__add_field(btf, name, type, bit, bits), 0);
}

static void add_first_types(void)
{
	assert_int_equal(btf__add_int(kernel, "int", 4, BTF_INT_SIGNED), INT);
	assert_int_equal(btf__add_ptr(kernel, INNER), PTR);
	assert_int_equal(btf__add_enum(kernel, "state", 4), STATE);
	assert_int_equal(btf__add_enum_value(kernel, "RUNNING", 0), 0);
	assert_int_equal(btf__add_enum_value(kernel, "DEAD", -2), 0);
	assert_int_equal(btf__add_struct(kernel, "inner", 8), INNER);
	add_field(kernel, "a", INT, 0, 0);
	add_field(kernel, "state", STATE, 32, 0);
	assert_int_equal(btf__add_const(kernel, INNER), CONST_INNER);
	assert_int_equal(btf__add_struct(kernel, "list", 8), LIST);
	add_field(kernel, "next", PTR, 0, 0);
	assert_int_equal(btf__add_array(kernel, INT, CONST_INNER, 3), ARRAY);
	assert_int_equal(btf__add_func_proto(kernel, INT), FUNC_PROTO);
	assert_int_equal(btf__add_typedef(kernel, "callback", FUNC_PROTO), CALLBACK);
}

static int set_up(void **state)
{
	(void)state;
	kernel = btf__new_empty();
	local = btf__new_empty();
	assert_non_null(kernel);
	assert_non_null(local);
	add_first_types();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	btf__free(kernel);
	btf__free(local);
	return 0;
}

static struct btf *make_part(void)
{
	struct btf *part = btf_part_new(kernel, local);
	struct btf *again;
	const void *bytes;
	uint32_t len;

	assert_non_null(part);
	/* As libbpf gets it. */
	bytes = btf__raw_data(part, &len);
	again = btf__new(bytes, len);
	btf__free(part);
	assert_non_null(again);
	return again;
}

static const struct btf_type *find(const struct btf *btf, const char *name, uint32_t kind)
{
	int id = btf__find_by_name_kind(btf, name, kind);

	return id < 0 ? NULL : btf__type_by_id(btf, (uint32_t)id);
}

/* Checks member @idx of @type and returns its type. */
static const struct btf_type *member(const struct btf *btf, const struct btf_type *type,
				     uint32_t idx, const char *name, uint32_t bit, uint32_t bits)
{
	assert_non_null(type);
	assert_true(idx < btf_vlen(type));
	assert_string_equal(btf__name_by_offset(btf, btf_members(type)[idx].name_off), name);
	assert_int_equal(btf_member_bit_offset(type, idx), bit);
	assert_int_equal(btf_member_bitfield_size(type, idx), bits);
	return btf__type_by_id(btf, btf_members(type)[idx].type);
}

static void test_what_is_named_and_what_is_in_it(void **state)
{
	const struct btf_type *task;
	const struct btf_type *array;
	struct btf *part;

	(void)state;
	add_struct(kernel, "task", 64);
	add_field(kernel, "list", PTR, 0, 0);
	add_field(kernel, "inners", ARRAY, 64, 0);
	add_field(kernel, "low", INT, 256, 3);
	add_field(kernel, "high", INT, 259, 29);
	add_field(kernel, "callback", CALLBACK, 320, 0);
	add_struct(local, "task", 8);

	part = make_part();
	task = find(part, "task", BTF_KIND_STRUCT);
	assert_non_null(task);
	assert_int_equal(task->size, 64);
	assert_int_equal(btf_vlen(task), 5);
	/* A pointer is one, to whatever. */
	assert_int_equal(btf_kind(member(part, task, 0, "list", 0, 0)), BTF_KIND_PTR);
	array = member(part, task, 1, "inners", 64, 0);
	assert_true(btf_is_array(array));
	assert_int_equal(btf_array(array)->nelems, 3);
	assert_int_equal(btf__resolve_size(part, btf_members(task)[1].type), 24);
	assert_int_equal(btf_kind(member(part, task, 2, "low", 256, 3)), BTF_KIND_INT);
	member(part, task, 3, "high", 259, 29);
	assert_int_equal(btf_kind(member(part, task, 4, "callback", 320, 0)), BTF_KIND_TYPEDEF);
	member(part, find(part, "inner", BTF_KIND_STRUCT), 1, "state", 32, 0);
	assert_null(find(part, "list", BTF_KIND_STRUCT));
	btf__free(part);
}

static void test_flavours_are_one_name(void **state)
{
	struct btf *part;

	(void)state;
	add_struct(kernel, "task___of_another", 4);
	add_struct(kernel, "___task", 4);
	add_struct(kernel, "task____", 4);
	add_struct(kernel, "task___in___two", 4);
	add_struct(local, "task___before_5_14", 0);
	add_struct(local, "list___x", 0);
	part = make_part();
	assert_non_null(find(part, "task___of_another", BTF_KIND_STRUCT));
	assert_null(find(part, "___task", BTF_KIND_STRUCT));
	assert_null(find(part, "task____", BTF_KIND_STRUCT));
	assert_null(find(part, "task___in___two", BTF_KIND_STRUCT));
	assert_non_null(find(part, "list", BTF_KIND_STRUCT));
	btf__free(part);
}

static void test_all_of_one_name(void **state)
{
	uint32_t cnt = 0;
	struct btf *part;

	(void)state;
	add_struct(kernel, "inner", 16);
	assert_true(btf__add_union(kernel, "inner", 4) > 0);
	add_struct(local, "inner", 0);
	part = make_part();
	for (uint32_t id = 1; id < btf__type_cnt(part); id++)
		cnt += !strcmp(btf__name_by_offset(part, btf__type_by_id(part, id)->name_off),
			       "inner");
	assert_int_equal(cnt, 3);
	btf__free(part);
}

static void test_enumerators(void **state)
{
	const struct btf_type *type;
	struct btf *part;

	(void)state;
	assert_true(btf__add_enum64(kernel, "wide", 8, false) > 0);
	assert_int_equal(btf__add_enum64_value(kernel, "WIDE", 1ULL << 40), 0);
	assert_true(btf__add_enum(local, "state", 4) > 0);
	assert_true(btf__add_enum(local, "wide", 4) > 0);
	part = make_part();
	type = find(part, "state", BTF_KIND_ENUM);
	assert_non_null(type);
	assert_int_equal(btf_vlen(type), 2);
	assert_string_equal(btf__name_by_offset(part, btf_enum(type)[1].name_off), "DEAD");
	assert_int_equal(btf_enum(type)[1].val, -2);
	type = find(part, "wide", BTF_KIND_ENUM64);
	assert_non_null(type);
	assert_true(btf_enum64_value(btf_enum64(type)) == 1ULL << 40);
	btf__free(part);
}

/* Types that are made of themselves are in no kernel, but files can have them. */
static void test_circles_end(void **state)
{
	struct btf *part;
	int first;

	(void)state;
	first = (int)btf__type_cnt(kernel);
	assert_int_equal(btf__add_typedef(kernel, "one", first + 1), first);
	assert_int_equal(btf__add_typedef(kernel, "other", first), first + 1);
	add_struct(kernel, "self", 8);
	add_field(kernel, "self", first + 2, 0, 0);
	assert_true(btf__add_typedef(local, "one", 0) > 0);
	add_struct(local, "self", 0);
	part = make_part();
	assert_non_null(find(part, "other", BTF_KIND_TYPEDEF));
	assert_non_null(find(part, "self", BTF_KIND_STRUCT));
	btf__free(part);
}

static void test_unsound_is_refused(void **state)
{
	int func;

	(void)state;
	func = btf__add_func(kernel, "function", BTF_FUNC_STATIC, FUNC_PROTO);
	assert_true(func > 0);
	add_struct(kernel, "task", 8);
	add_field(kernel, "function", func, 0, 0);
	add_struct(local, "task", 0);
	errno = 0;
	assert_null(btf_part_new(kernel, local));
	assert_int_equal(errno, EINVAL);
}

static void test_types_out_of_range_are_void(void **state)
{
	struct btf *part;

	(void)state;
	add_struct(kernel, "task", 8);
	add_field(kernel, "nothing", 1000000, 0, 0);
	add_struct(local, "task", 0);
	part = make_part();
	assert_int_equal(btf_members(find(part, "task", BTF_KIND_STRUCT))[0].type, 0);
	btf__free(part);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_is_named_and_what_is_in_it, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_flavours_are_one_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_all_of_one_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_enumerators, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_circles_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unsound_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_types_out_of_range_are_void, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
