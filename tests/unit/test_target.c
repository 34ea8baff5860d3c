/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* When what is known of a target still holds: this very process, and one that is gone. */
#include "unit.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "collect/target.h"

#define LOOKS 1000

static struct wire_task look_at(pid_t pid)
{
	return (struct wire_task){ .tgid = (uint32_t)pid,
				   .tid = (uint32_t)pid,
				   .flags = WIRE_HAS_REGS,
				   .exec_id = 1,
				   .exec_pages = 100 };
}

static void *map_code(int fd, int flags)
{
	void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | flags, fd, 0);

	assert_ptr_not_equal(code, MAP_FAILED);
	return code;
}

/* Shows @target that its process has more code, and lets it compare. */
static uint32_t check_after_change(struct target *target, struct wire_task *task)
{
	task->exec_pages++;
	target_refresh(target, task);
	target_check(target);
	return target->generation;
}

static void test_only_other_files_make_it_anew(void **state)
{
	struct wire_task task = look_at(getpid());
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct target *target;
	void *code;

	(void)state;
	assert_true(fd >= 0);
	target = target_new(&task);
	assert_non_null(target->unwinder);
	assert_int_equal(check_after_change(target, &task), 1);

	code = map_code(-1, MAP_ANONYMOUS);
	assert_int_equal(check_after_change(target, &task), 1);
	munmap(code, 4096);

	code = map_code(fd, 0);
	target_check(target); /* nobody said that anything changed */
	assert_int_equal(target->generation, 1);
	assert_int_equal(check_after_change(target, &task), 2);
	assert_non_null(maps_find(&target->maps, (uint64_t)(uintptr_t)code));
	assert_non_null(target->unwinder);
	munmap(code, 4096);
	assert_int_equal(check_after_change(target, &task), 3);

	task.exec_id++;
	target_refresh(target, &task);
	assert_int_equal(target->generation, 4);
	target_free(target);
	close(fd);
}

static void test_samples_of_another_time_do_not_fit(void **state)
{
	struct wire_task task = look_at(getpid());
	struct wire_sample *sample = test_calloc(1, sizeof(*sample));
	struct target *target;

	(void)state;
	target = target_new(&task);
	sample->exec_id = task.exec_id;
	sample->exec_pages = task.exec_pages;
	sample->time_ns = target->opened_ns - 1;
	assert_false(target_fits_sample(target, sample));
	sample->time_ns = clock_mono_ns();
	assert_true(target_fits_sample(target, sample));
	assert_false(target->code_changed);
	sample->exec_pages++;
	assert_true(target_fits_sample(target, sample));
	assert_true(target->code_changed);
	sample->exec_id++;
	assert_false(target_fits_sample(target, sample));
	target_free(target);
	test_free(sample);
}

/* Each look at a process whose map cannot be read tries once more, but not for ever. */
static void test_unreadable_map_is_given_up(void **state)
{
	pid_t child = fork();
	struct wire_task task = look_at(child);
	struct target *target;
	uint32_t settled;

	(void)state;
	if (!child)
		_exit(0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	target = target_new(&task);
	assert_null(target->unwinder);
	for (int i = 0; i < LOOKS; i++)
		target_refresh(target, &task);
	settled = target->generation;
	target_refresh(target, &task);
	assert_int_equal(target->generation, settled);
	assert_true(settled < LOOKS);
	target_free(target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_other_files_make_it_anew),
		cmocka_unit_test(test_samples_of_another_time_do_not_fit),
		cmocka_unit_test(test_unreadable_map_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
