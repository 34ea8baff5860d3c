/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The modules of a process that maps its own code in unusual ways: this one. */
#include "unit.h"

#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
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

#define FIXED_ADDR 0x330000000000ULL

/* Returns a file, already unlinked, that is a program of two pages for FIXED_ADDR. */
static int make_fixed_program(void)
{
	static char pages[2 * PAGE_BYTES];
	const ElfW(Ehdr) ehdr = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
					       ELFDATA2LSB, EV_CURRENT },
				  .e_type = ET_EXEC,
				  .e_machine = EM_X86_64,
				  .e_version = EV_CURRENT,
				  .e_phoff = sizeof(ehdr),
				  .e_ehsize = sizeof(ehdr),
				  .e_phentsize = sizeof(ElfW(Phdr)),
				  .e_phnum = 1 };
	const ElfW(Phdr) phdr = { .p_type = PT_LOAD,
				  .p_flags = PF_R | PF_X,
				  .p_vaddr = FIXED_ADDR,
				  .p_filesz = sizeof(pages),
				  .p_memsz = sizeof(pages),
				  .p_align = PAGE_BYTES };
	char path[] = "/tmp/test_modules.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	memcpy(pages, &ehdr, sizeof(ehdr));
	memcpy(pages + sizeof(ehdr), &phdr, sizeof(phdr));
	assert_int_equal(write(fd, pages, sizeof(pages)), sizeof(pages));
	return fd;
}

static void test_a_copy_of_a_fixed_program(void **state)
{
	int fd = make_fixed_program();
	const struct module *program, *copy;
	struct modules *modules;
	struct maps maps;
	char *addr[2];

	(void)state;
	addr[0] = mmap((void *)FIXED_ADDR, 2 * PAGE_BYTES, PROT_READ | PROT_EXEC,
		       MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd, 0);
	addr[1] = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, PAGE_BYTES);
	close(fd);
	assert_true(addr[0] == (char *)FIXED_ADDR && addr[1] != MAP_FAILED);
	maps_init(&maps);
	assert_int_equal(maps_read(&maps, getpid(), NULL), 0);
	modules = modules_new(getpid(), &maps, NULL);
	assert_non_null(modules);

	program = modules_find(modules, FIXED_ADDR);
	copy = modules_find(modules, (uintptr_t)addr[1]);
	assert_true(program && copy);
	assert_non_null(program->dwfl);
	assert_true(program->displacement == 0);
	assert_null(copy->dwfl);
	assert_true(copy->displacement == (uintptr_t)addr[1] - PAGE_BYTES - FIXED_ADDR);
	assert_alive(modules, program->dwfl);
	assert_int_equal(modules_losses(modules).unreadable_cnt, 0);

	modules_free(modules);
	maps_release(&maps);
	munmap(addr[0], 2 * PAGE_BYTES);
	munmap(addr[1], PAGE_BYTES);
}

/* The code of this very function, whoever has the process's id by then. */
static void test_code_of_the_file(void **state)
{
	const uint64_t addr = (uintptr_t)test_code_of_the_file;
	uint8_t code[16] = { 0 };
	struct modules *modules;
	struct maps maps;
	const struct mapping *mapping;

	(void)state;
	maps_init(&maps);
	assert_int_equal(maps_read(&maps, getpid(), NULL), 0);
	modules = modules_new(getpid(), &maps, NULL);
	assert_non_null(modules);
	assert_true(modules_read_code(modules, addr, code, sizeof(code)));
	assert_memory_equal(code, (const void *)(uintptr_t)addr, sizeof(code));
	mapping = maps_find(&maps, addr);
	assert_false(modules_read_code(modules, mapping->end_addr - 1, code, 2));
	assert_false(modules_read_code(modules, (uintptr_t)code, code, 1)); /* the stack */
	assert_false(modules_read_code(modules, 0, code, 1));
	modules_free(modules);
	maps_release(&maps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_code_of_the_file),
		cmocka_unit_test(test_a_copy_of_a_fixed_program),
		cmocka_unit_test(test_a_hole_in_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
