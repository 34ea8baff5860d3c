/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Separate debug files: this program, stripped by objcopy, finds its lines again in a file beside
 * it, and in no file that is not its own, or that is none.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc/debuginfo.h"
#include "proc/dwfl_elf.h"

struct scene {
	char dir[64];
};

__attribute__((format(printf, 1, 2))) static void run(const char *fmt, ...)
{
	char command[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	assert_int_equal(system(command), 0);
}

/* Makes DIR/program, whose debug file is DIR/program.debug. */
static int setup(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	assert_non_null(scene);
	*state = scene;
	snprintf(scene->dir, sizeof(scene->dir), "/tmp/loiter-debugfile-XXXXXX");
	assert_non_null(mkdtemp(scene->dir));
	run("cd %s && objcopy --only-keep-debug /proc/%d/exe program.debug", scene->dir, getpid());
	run("cd %s && objcopy --strip-all --add-gnu-debuglink=program.debug /proc/%d/exe program",
	    scene->dir, getpid());
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	if (scene->dir[0])
		run("rm -r %s", scene->dir);
	free(scene);
	return 0;
}

/* What is found for DIR/program, seen through @root. */
struct found {
	bool has_dwarf;	 /* of its own or in a separate file */
	int err;	 /* why not */
	bool has_shared; /* the file in which it goes on */
};

static struct found find(const struct scene *scene, const char *root)
{
	struct debuginfo info = { .place.root = root, .dwfl = dwfl_elf_begin() };
	Dwfl *dwfl = dwfl_elf_begin();
	struct elf_file *file;
	struct found found;
	char path[128];
	struct stat st;
	Elf *elf;
	int fd;

	assert_true(dwfl && info.dwfl);
	snprintf(path, sizeof(path), "%s/program", scene->dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && !fstat(fd, &st));
	file = elf_file_open(fd, &st);
	assert_non_null(file);
	elf = elf_file_share_elf(file);
	info.place.path = path;
	info.own = dwfl_elf_report(dwfl, 0, 0, 1, &elf);
	assert_non_null(info.own);
	found.has_dwarf = debuginfo_dwarf(&info);
	found.err = found.has_dwarf ? 0 : errno;
	found.has_shared = info.shared.file;
	dwfl_end(dwfl);
	dwfl_end(info.dwfl);
	debuginfo_release(&info);
	elf_file_close(file);
	return found;
}

static bool has_lines(const struct scene *scene, const char *root)
{
	return find(scene, root).has_dwarf;
}

/* Turns the ELF file DIR/@name into one of type ET_REL. */
static void make_object(const struct scene *scene, const char *name)
{
	run("cd %s && printf '\\001' | dd of=%s bs=1 seek=16 conv=notrunc 2>/dev/null", scene->dir,
	    name);
}

static void test_beside_the_file(void **state)
{
	struct scene *scene = *state;

	assert_true(has_lines(scene, "/"));
	run("mkdir %s/.debug && mv %s/program.debug %s/.debug/", scene->dir, scene->dir,
	    scene->dir);
	assert_true(has_lines(scene, "/"));
	run("rm %s/.debug/program.debug", scene->dir);
	assert_false(has_lines(scene, "/"));
}

static void test_in_the_root_of_a_target(void **state)
{
	struct scene *scene = *state;
	char root[32];

	snprintf(root, sizeof(root), "/proc/%d/root", getpid());
	assert_true(has_lines(scene, root));
}

/* A link is followed within the root only, which here is the same one. */
static void test_through_a_link(void **state)
{
	struct scene *scene = *state;

	run("cd %s && mv program.debug other && ln -s other program.debug", scene->dir);
	assert_true(has_lines(scene, "/"));
	run("cd %s && ln -sf program.debug program.debug", scene->dir);
	assert_false(has_lines(scene, "/"));
}

static void test_a_wrong_file_is_refused(void **state)
{
	struct scene *scene = *state;

	run("cd %s && objcopy --only-keep-debug --remove-section=.note.gnu.build-id "
	    "/proc/%d/exe program.debug",
	    scene->dir, getpid());
	assert_false(has_lines(scene, "/"));
	run("cd %s && objcopy --only-keep-debug /proc/%d/exe program.debug", scene->dir, getpid());
	assert_true(has_lines(scene, "/"));
	make_object(scene, "program.debug");
	assert_false(has_lines(scene, "/"));
	run("cd %s && cp /dev/null program.debug", scene->dir);
	assert_false(has_lines(scene, "/"));
}

/* Without a build ID the checksum tells. */
static void test_the_checksum_decides_without_a_build_id(void **state)
{
	struct scene *scene = *state;

	run("cd %s && objcopy --remove-section=.note.gnu.build-id program", scene->dir);
	assert_true(has_lines(scene, "/"));
	run("cd %s && printf x >>program.debug", scene->dir);
	assert_false(has_lines(scene, "/"));
	assert_int_equal(find(scene, "/").err, 0);
	run("cd %s && truncate -s 1T program.debug", scene->dir); /* read whole, it takes hours */
	assert_false(has_lines(scene, "/"));
	assert_int_equal(find(scene, "/").err, EBADMSG);
}

/* However many modules a target has, and places in which a file is looked for. To be run last: what
 * can be read of such files is used up. */
static void test_checksums_have_a_bound(void **state)
{
	struct scene *scene = *state;

	run("cd %s && objcopy --remove-section=.note.gnu.build-id program && "
	    "mv program.debug right",
	    scene->dir);
	for (int i = 0; i < 3; i++) {
		run("cd %s && truncate -s 200M program.debug", scene->dir);
		assert_false(has_lines(scene, "/"));
	}
	assert_int_equal(find(scene, "/").err, EBADMSG);
	run("cd %s && mv right program.debug", scene->dir); /* what is small still is looked at */
	assert_true(has_lines(scene, "/"));
}

static void test_what_is_no_file_is_not_opened(void **state)
{
	struct scene *scene = *state;

	run("cd %s && rm program.debug && mkfifo program.debug", scene->dir);
	assert_false(has_lines(scene, "/"));
	run("cd %s && rm program.debug && mkdir program.debug", scene->dir);
	assert_false(has_lines(scene, "/"));
}

/* DWARF that goes on in a shared file, as dwz makes it: that is used if it is the right one, and
 * what else stands there is not even looked into. */
static void test_a_shared_file_must_be_the_right_one(void **state)
{
	struct scene *scene = *state;
	struct found found;

	run("cd %s && objcopy -O binary --only-section=.note.gnu.build-id program id && "
	    "{ printf 'shared\\000' && tail -c 20 id; } >link && objcopy "
	    "--add-section=.gnu_debugaltlink=link /proc/%d/exe program",
	    scene->dir, getpid());
	found = find(scene, "/");
	assert_true(found.has_dwarf && !found.has_shared);
	run("cd %s && cp program.debug shared", scene->dir);
	found = find(scene, "/");
	assert_true(found.has_dwarf && found.has_shared);
	make_object(scene, "shared"); /* as dwz does */
	found = find(scene, "/");
	assert_true(found.has_dwarf && found.has_shared);
	run("cd %s && objcopy --remove-section=.note.gnu.build-id shared", scene->dir);
	found = find(scene, "/");
	assert_true(found.has_dwarf && !found.has_shared);
	run("cd %s && rm shared && mkfifo shared", scene->dir);
	found = find(scene, "/");
	assert_true(found.has_dwarf && !found.has_shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_beside_the_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_in_the_root_of_a_target, setup, teardown),
		cmocka_unit_test_setup_teardown(test_through_a_link, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_wrong_file_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_checksum_decides_without_a_build_id, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_what_is_no_file_is_not_opened, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_shared_file_must_be_the_right_one, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_checksums_have_a_bound, setup, teardown),
	};

	unsetenv("DEBUGINFOD_URLS");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
