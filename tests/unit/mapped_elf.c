/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "mapped_elf.h"

#include "unit.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_BYTES 4096u
#define PHDR_MAX 32

static int protection(const Elf64_Phdr *phdr)
{
	return (phdr->p_flags & PF_R ? PROT_READ : 0) | (phdr->p_flags & PF_W ? PROT_WRITE : 0) |
	       (phdr->p_flags & PF_X ? PROT_EXEC : 0);
}

static void map_segments(struct mapped_elf *elf, const Elf64_Phdr *phdrs, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++) {
		uint64_t skew = phdrs[i].p_vaddr % PAGE_BYTES;

		if (phdrs[i].p_type != PT_LOAD || !phdrs[i].p_filesz)
			continue;
		assert_true(mmap(elf->base + phdrs[i].p_vaddr - skew, phdrs[i].p_filesz + skew,
				 protection(&phdrs[i]), MAP_PRIVATE | MAP_FIXED, elf->fd,
				 (off_t)(phdrs[i].p_offset - skew)) != MAP_FAILED);
	}
}

static void map_file(struct mapped_elf *elf)
{
	Elf64_Phdr phdrs[PHDR_MAX];
	Elf64_Ehdr ehdr;

	assert_int_equal(pread(elf->fd, &ehdr, sizeof(ehdr), 0), sizeof(ehdr));
	assert_int_equal(ehdr.e_type, ET_DYN);
	assert_true(ehdr.e_phnum <= PHDR_MAX);
	assert_int_equal(pread(elf->fd, phdrs, ehdr.e_phnum * sizeof(phdrs[0]),
			       (off_t)ehdr.e_phoff),
			 ehdr.e_phnum * sizeof(phdrs[0]));
	for (size_t i = 0; i < ehdr.e_phnum; i++)
		if (phdrs[i].p_type == PT_LOAD)
			elf->bytes = phdrs[i].p_vaddr + phdrs[i].p_memsz;
	elf->base = mmap(NULL, elf->bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(elf->base != MAP_FAILED);
	map_segments(elf, phdrs, ehdr.e_phnum);
}

void mapped_elf_age(int fd)
{
	static const struct timespec long_ago[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };

	assert_int_equal(futimens(fd, long_ago), 0);
}

void mapped_elf_open(struct mapped_elf *elf, const char *command)
{
	char text[512];
	int len;

	*elf = (struct mapped_elf){ .dir = "/tmp/loiter-mapped-XXXXXX" };
	assert_non_null(mkdtemp(elf->dir));
	len = snprintf(text, sizeof(text), "cd %s && pid=%d && ", elf->dir, getpid());
	snprintf(text + len, sizeof(text) - (size_t)len, "%s", command);
	assert_int_equal(system(text), 0);
	snprintf(elf->path, sizeof(elf->path), "%s/program", elf->dir);
	elf->fd = open(elf->path, O_RDWR | O_CLOEXEC);
	assert_true(elf->fd >= 0);
	mapped_elf_age(elf->fd);
	map_file(elf);
}

void mapped_elf_close(struct mapped_elf *elf)
{
	char text[128];

	munmap(elf->base, elf->bytes);
	close(elf->fd);
	snprintf(text, sizeof(text), "rm -r %s", elf->dir);
	assert_int_equal(system(text), 0);
}

static int find_base(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size;
	*(uint64_t *)data = info->dlpi_addr;
	return 1;
}

uint64_t mapped_elf_addr(const struct mapped_elf *elf, const void *what)
{
	uint64_t base = 0;

	dl_iterate_phdr(find_base, &base);
	return (uint64_t)(uintptr_t)what - base + (uint64_t)(uintptr_t)elf->base;
}
