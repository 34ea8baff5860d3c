/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "proc/elf_image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proc/memory.h"

#define IMAGE_MAX_BYTES (64u << 20)

#if defined(__x86_64__)
#define NATIVE_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define NATIVE_MACHINE EM_AARCH64
#endif

uint16_t elf_image_type(const void *header, size_t len)
{
	Elf64_Ehdr ehdr;

	if (len < sizeof(ehdr))
		return ET_NONE;
	memcpy(&ehdr, header, sizeof(ehdr));
	if (memcmp(ehdr.e_ident, ELFMAG, SELFMAG) || ehdr.e_ident[EI_CLASS] != ELFCLASS64 ||
	    ehdr.e_ident[EI_DATA] != ELFDATA2LSB || ehdr.e_machine != NATIVE_MACHINE)
		return ET_NONE;
	return ehdr.e_type;
}

bool elf_type_is_loaded(uint16_t type)
{
	return type == ET_EXEC || type == ET_DYN;
}

/* Takes the section headers away when the image does not hold them. */
static void drop_lost_sections(struct elf_image *image)
{
	Elf64_Ehdr ehdr;

	memcpy(&ehdr, image->bytes, sizeof(ehdr));
	if (ehdr.e_shoff < image->len &&
	    (uint64_t)ehdr.e_shnum * sizeof(Elf64_Shdr) <= image->len - ehdr.e_shoff)
		return;
	ehdr.e_shoff = 0;
	ehdr.e_shnum = 0;
	ehdr.e_shstrndx = 0;
	memcpy(image->bytes, &ehdr, sizeof(ehdr));
}

int elf_image_read(struct elf_image *image, pid_t tgid, const struct mapping *first,
		   uint32_t mapping_cnt)
{
	const struct mapping *last = &first[mapping_cnt - 1];
	uint64_t len = last->file_off + (last->end_addr - last->start_addr);
	ssize_t got = 0;

	if (len > IMAGE_MAX_BYTES || len < sizeof(Elf64_Ehdr))
		return -E2BIG;
	image->bytes = calloc(1, len);
	if (!image->bytes)
		return -ENOMEM;
	image->len = len;
	for (const struct mapping *mapping = first; mapping <= last; mapping++) {
		uint64_t bytes = mapping->end_addr - mapping->start_addr;

		if (!mapping->readable || mapping->file_off > len ||
		    bytes > len - mapping->file_off)
			continue;
		got = memory_read(tgid, mapping->start_addr, image->bytes + mapping->file_off,
				  bytes);
		if (got < 0)
			break;
	}
	if (got < 0 || !elf_type_is_loaded(elf_image_type(image->bytes, image->len))) {
		elf_image_release(image);
		return got < 0 ? -ENODATA : -ENOEXEC;
	}
	drop_lost_sections(image);
	image->elf = elf_memory(image->bytes, image->len);
	if (!image->elf) {
		elf_image_release(image);
		return -ENOEXEC;
	}
	return 0;
}

void elf_image_release(struct elf_image *image)
{
	if (image->elf)
		elf_end(image->elf);
	free(image->bytes);
	*image = (struct elf_image){ 0 };
}
