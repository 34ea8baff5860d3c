/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A target's ELF file that is written to, in place, between the moment in which it is opened and
 * those in which rules and names are read from it: what is answered then is what it was, or
 * nothing, and that is counted. And a file that never holds still, which must not be read beyond.
 */
#include "unit.h"

#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mapped_elf.h"
#include "model/model.h"
#include "proc/maps.h"
#include "proc/modules.h"
#include "symbolize/symbolize.h"
#include "unwind/cfi.h"

int elf_changed_variable = 1;

__attribute__((noinline)) static int elf_changed_function(int number)
{
	volatile char room[200];

	room[number & 7] = (char)number;
	return room[number & 7] + elf_changed_variable;
}

/* ---- the target, as one who looks at it has it ---- */

struct look {
	struct maps maps;
	struct modules *modules;
	struct cfi *cfi;
	struct symbolizer *symbolizer;
	struct model model;
	uint64_t pc;   /* in the function */
	uint64_t data; /* the variable */
};

static void look_begin(struct look *look, const struct mapped_elf *elf)
{
	maps_init(&look->maps);
	assert_int_equal(maps_read(&look->maps, getpid(), NULL), 0);
	look->modules = modules_new(getpid(), &look->maps, NULL);
	look->cfi = cfi_new(&look->maps, look->modules, NULL);
	look->symbolizer = symbolizer_new(getpid(), &look->maps, look->modules, NULL);
	assert_true(look->modules && look->cfi && look->symbolizer);
	model_init(&look->model);
	model_add_process(&look->model, (uint32_t)getpid(), 0);
	look->pc = mapped_elf_addr(elf, elf_changed_function) + 16;
	look->data = mapped_elf_addr(elf, &elf_changed_variable);
}

static void look_end(struct look *look)
{
	model_release(&look->model);
	symbolizer_free(look->symbolizer);
	cfi_free(look->cfi);
	modules_free(look->modules);
	maps_release(&look->maps);
}

/* The steps in which a file is read; it may change before each of them. */
enum step { STEP_OPEN, STEP_RULE, STEP_DATA, STEP_FUNC, STEP_CNT };

struct answers {
	struct rule rule;
	char func[64], data[64];
	uint32_t line;
};

static void ask_func(struct look *look, struct answers *answers)
{
	uint32_t idx = model_intern_loc(&look->model, 0, 0, look->pc, true);
	const struct model_frame *frame;

	assert_int_equal(symbolizer_run(look->symbolizer, &look->model, 0), 0);
	assert_int_equal(symbolize_rest(look->symbolizer, &look->model, 0), 0);
	frame = model_loc_frames(&look->model, model_loc(&look->model, idx));
	snprintf(answers->func, sizeof(answers->func), "%s", model_str(&look->model, frame->func));
	answers->line = frame->line;
}

static void ask(struct look *look, enum step step, struct answers *answers)
{
	switch (step) {
	case STEP_OPEN:
		modules_find(look->modules, look->pc);
		break;
	case STEP_RULE:
		answers->rule = cfi_rule(look->cfi, look->pc, true);
		break;
	case STEP_FUNC:
		ask_func(look, answers);
		break;
	case STEP_DATA:
		symbolizer_name_data(look->symbolizer, look->data, answers->data,
				     sizeof(answers->data));
		break;
	case STEP_CNT:
		break;
	}
}

/* ---- what is done to the file ---- */

struct image {
	char *bytes;
	size_t len;
};

static struct image image_read(int fd)
{
	struct image image;
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	image.len = (size_t)st.st_size;
	image.bytes = malloc(image.len);
	assert_non_null(image.bytes);
	assert_int_equal(pread(fd, image.bytes, image.len, 0), image.len);
	return image;
}

static void image_write(int fd, const struct image *image)
{
	assert_int_equal(pwrite(fd, image->bytes, image->len, 0), image->len);
}

static Elf64_Ehdr *image_ehdr(const struct image *image)
{
	return (Elf64_Ehdr *)(void *)image->bytes;
}

static Elf64_Shdr *image_shdrs(const struct image *image)
{
	return (Elf64_Shdr *)(void *)(image->bytes + image_ehdr(image)->e_shoff);
}

#define EACH_SECTION(image, shdr)                                                                  \
	for (Elf64_Shdr *shdr = image_shdrs(image);                                                \
	     (shdr) < image_shdrs(image) + image_ehdr(image)->e_shnum; (shdr)++)

static void huge_sections(const struct image *image)
{
	EACH_SECTION(image, shdr)
	shdr->sh_size = 1ULL << 40;
}

static void far_sections(const struct image *image)
{
	EACH_SECTION(image, shdr)
	shdr->sh_offset = 1ULL << 40;
}

static void shifted_sections(const struct image *image)
{
	EACH_SECTION(image, shdr)
	shdr->sh_offset += 4096;
}

static void nameless_sections(const struct image *image)
{
	EACH_SECTION(image, shdr)
	shdr->sh_name = 0x7fffffff;
}

static void crossed_sections(const struct image *image)
{
	EACH_SECTION(image, shdr)
	shdr->sh_link = 0;
}

static void many_headers(const struct image *image)
{
	image_ehdr(image)->e_shnum = image_ehdr(image)->e_phnum = 0xfffe;
}

static void far_headers(const struct image *image)
{
	image_ehdr(image)->e_shoff = image_ehdr(image)->e_phoff = 1ULL << 40;
}

static void no_header(const struct image *image)
{
	memset(image->bytes, 0xff, sizeof(Elf64_Ehdr));
}

/* Headers and code stay. */
static void fill_tables(const struct image *image, int byte)
{
	EACH_SECTION(image, shdr)
	if (shdr->sh_type != SHT_NOBITS && !(shdr->sh_flags & SHF_EXECINSTR) && shdr->sh_offset &&
	    shdr->sh_offset + shdr->sh_size <= image->len)
		memset(image->bytes + shdr->sh_offset, byte, shdr->sh_size);
}

static void ones_in_tables(const struct image *image)
{
	fill_tables(image, 0xff);
}

static void letters_in_tables(const struct image *image)
{
	fill_tables(image, 'a');
}

static const struct damage {
	const char *name;
	void (*apply)(const struct image *image);
} damages[] = {
	{ "huge sections", huge_sections },	  { "far sections", far_sections },
	{ "shifted sections", shifted_sections }, { "nameless sections", nameless_sections },
	{ "crossed sections", crossed_sections }, { "many headers", many_headers },
	{ "far headers", far_headers },		  { "no header", no_header },
	{ "ones in tables", ones_in_tables },	  { "letters in tables", letters_in_tables },
};

#define DAMAGE_CNT (sizeof(damages) / sizeof(damages[0]))

/* ---- the tests ---- */

static struct answers ask_all(const struct mapped_elf *elf)
{
	struct answers answers = { 0 };
	struct look look;

	look_begin(&look, elf);
	for (enum step step = STEP_OPEN; step < STEP_CNT; step++)
		ask(&look, step, &answers);
	assert_int_equal(modules_losses(look.modules).changed_cnt, 0);
	look_end(&look);
	assert_int_equal(answers.rule.flags & RULE_GUESS, 0);
	assert_string_equal(answers.func, "elf_changed_function");
	assert_string_equal(answers.data, "elf_changed_variable");
	assert_true(answers.line > 0);
	return answers;
}

static bool is_right_or_none(const char *text, const char *right)
{
	return !text[0] || !strcmp(text, right);
}

static void assert_right_or_none(const struct answers *answers, const struct answers *right)
{
	if (!(answers->rule.flags & RULE_GUESS))
		assert_memory_equal(&answers->rule, &right->rule, sizeof(right->rule));
	assert_true(is_right_or_none(answers->func, right->func));
	assert_true(is_right_or_none(answers->data, right->data));
	assert_true(!answers->line || answers->line == right->line);
}

/* Does @damage to the file @fd of @elf before the step @when; the step @opens is the first that
 * reads the file. */
static void try_damage(const struct mapped_elf *elf, int fd, const struct damage *damage,
		       enum step opens, enum step when, const struct answers *right)
{
	struct image good = image_read(fd), bad = image_read(fd);
	struct answers answers = { 0 };
	struct look look;

	damage->apply(&bad);
	look_begin(&look, elf);
	for (enum step step = STEP_OPEN; step < STEP_CNT; step++) {
		if (step == when)
			image_write(fd, &bad);
		ask(&look, step, &answers);
	}
	/* What is wrong from the beginning on is no change: its answers may be wrong too. */
	if (when > opens)
		assert_right_or_none(&answers, right);
	if (when == opens + 1)
		assert_int_equal(modules_losses(look.modules).changed_cnt, 1);
	look_end(&look);
	image_write(fd, &good);
	mapped_elf_age(fd);
	free(good.bytes);
	free(bad.bytes);
}

static void try_damages(const struct mapped_elf *elf, int fd, enum step opens)
{
	struct answers right = ask_all(elf);

	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++)
		for (enum step when = opens; when < STEP_CNT; when++)
			try_damage(elf, fd, &damages[i], opens, when, &right);
	ask_all(elf);
}

static void test_a_file_that_changes(void **state)
{
	struct mapped_elf elf;

	(void)state;
	mapped_elf_open(&elf, "cp /proc/$pid/exe program");
	try_damages(&elf, elf.fd, STEP_OPEN);
	mapped_elf_close(&elf);
}

#define SEPARATE_DEBUG                                                                             \
	"objcopy --only-keep-debug /proc/$pid/exe program.debug && "                               \
	"objcopy --strip-all --add-gnu-debuglink=program.debug /proc/$pid/exe program"

static void test_a_debug_file_that_changes(void **state)
{
	struct mapped_elf elf;
	char path[192];
	int fd;

	(void)state;
	mapped_elf_open(&elf, SEPARATE_DEBUG);
	snprintf(path, sizeof(path), "%s.debug", elf.path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	mapped_elf_age(fd);
	try_damages(&elf, fd, STEP_DATA);
	close(fd);
	mapped_elf_close(&elf);
}

/* ---- a file that never holds still ---- */

#define LOOK_CNT 60

struct scribbler {
	int fd;
	struct image image;
	atomic_bool stop;
};

/* Puts a wrong number in the place of one in the headers, and then the right one again, so that
 * the file is all right most of the time. */
static void scribble(const struct scribbler *scribbler, unsigned int *seed)
{
	static const uint64_t numbers[] = { 0, 1, 0x7fffffff, 1ULL << 40, UINT64_MAX };
	const struct image *image = &scribbler->image;
	uint64_t tables = image_ehdr(image)->e_shoff, bytes = image->len - tables, right;
	off_t off;

	if (!tables || rand_r(seed) % 4 == 0) {
		tables = 0;
		bytes = 4096;
	}
	off = (off_t)(tables + (uint64_t)rand_r(seed) % (bytes - sizeof(right)) / 8 * 8);
	memcpy(&right, image->bytes + off, sizeof(right));
	pwrite(scribbler->fd, &numbers[rand_r(seed) % 5], sizeof(right), off);
	pwrite(scribbler->fd, &right, sizeof(right), off);
}

static void *run_scribbler(void *arg)
{
	struct scribbler *scribbler = arg;
	unsigned int seed = 20261123;

	while (!atomic_load(&scribbler->stop))
		scribble(scribbler, &seed);
	return NULL;
}

static void test_a_file_that_never_holds_still(void **state)
{
	struct scribbler scribbler = { 0 };
	struct mapped_elf elf;
	pthread_t thread;

	(void)state;
	mapped_elf_open(&elf, "cp /proc/$pid/exe program");
	scribbler.fd = elf.fd;
	scribbler.image = image_read(elf.fd);
	assert_int_equal(pthread_create(&thread, NULL, run_scribbler, &scribbler), 0);
	for (int i = 0; i < LOOK_CNT; i++) {
		struct answers answers = { 0 };
		struct look look;

		look_begin(&look, &elf);
		for (enum step step = STEP_OPEN; step < STEP_CNT; step++)
			ask(&look, step, &answers);
		look_end(&look);
	}
	atomic_store(&scribbler.stop, true);
	pthread_join(thread, NULL);
	mapped_elf_age(elf.fd);
	ask_all(&elf);
	free(scribbler.image.bytes);
	mapped_elf_close(&elf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_file_that_changes),
		cmocka_unit_test(test_a_debug_file_that_changes),
		cmocka_unit_test(test_a_file_that_never_holds_still),
	};

	unsetenv("DEBUGINFOD_URLS");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
