/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The modules of a process that maps its own code in unusual ways: this one. */
#include "unit.h"

#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proc/maps.h"
#include "proc/modules.h"

#define PAGE_BYTES 4096u

struct code {
	uint64_t file_off, size_bytes; /* whole pages */
};

/* Of the program itself, which dl_iterate_phdr tells of first. */
static int find_code(struct dl_phdr_info *info, size_t size, void *data)
{
	struct code *code = data;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *phdr = &info->dlpi_phdr[i];

		if (phdr->p_type == PT_LOAD && phdr->p_flags & PF_X)
			*code = (struct code){ phdr->p_offset, phdr->p_filesz & -PAGE_BYTES };
	}
	return 1;
}

/* The code once more, with anonymous memory over its second page. */
static char *map_with_hole(const struct code *code)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char *copy = mmap(NULL, code->size_bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd,
			  (off_t)code->file_off);

	close(fd);
	assert_true(copy != MAP_FAILED);
	assert_true(mmap(copy + PAGE_BYTES, PAGE_BYTES, PROT_READ,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
	return copy;
}

struct search {
	Dwfl_Module *wanted;
	int found_cnt;
};

static int count_module(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr start,
			void *arg)
{
	struct search *search = arg;

	(void)userdata;
	(void)name;
	(void)start;
	search->found_cnt += module == search->wanted;
	return DWARF_CB_OK;
}

/* A module that libdwfl has freed is in its list no more. */
static void assert_alive(struct modules *modules, Dwfl_Module *module)
{
	struct search search = { .wanted = module };

	assert_int_equal(dwfl_getmodules(modules_dwfl(modules), count_module, &search, 0), 0);
	assert_int_equal(search.found_cnt, 1);
}

static void test_a_hole_in_code(void **state)
{
	const struct module *first, *second, *own;
	struct modules *modules;
	struct code code = { 0 };
	struct maps maps;
	char *copy;

	(void)state;
	dl_iterate_phdr(find_code, &code);
	assert_true(code.size_bytes >= 3 * PAGE_BYTES);
	copy = map_with_hole(&code);
	maps_init(&maps);
	assert_int_equal(maps_read(&maps, getpid(), NULL), 0);
	modules = modules_new(getpid(), &maps, NULL);
	assert_non_null(modules);

	first = modules_find(modules, (uintptr_t)copy);
	second = modules_find(modules, (uintptr_t)copy + 2 * PAGE_BYTES);
	own = modules_find(modules, (uintptr_t)test_a_hole_in_code);
	assert_true(first && second && own);
	assert_true(first->idx != second->idx);
	assert_null(modules_find(modules, (uintptr_t)copy + PAGE_BYTES));
	assert_non_null(first->dwfl);
	assert_ptr_equal(first->dwfl, second->dwfl);
	assert_non_null(own->dwfl);
	assert_ptr_not_equal(own->dwfl, first->dwfl);
	assert_alive(modules, first->dwfl);
	assert_alive(modules, own->dwfl);
	modules_open_all(modules);
	assert_alive(modules, first->dwfl);

	modules_free(modules);
	maps_release(&maps);
	munmap(copy, code.size_bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_hole_in_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
