/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * An ELF file put together from the memory of a process that has it mapped: the parts that are
 * mapped stand at their file offsets, the rest is zero. Section headers are usually not mapped and
 * then taken away; program headers and .eh_frame remain.
 */
#ifndef PROC_ELF_IMAGE_H
#define PROC_ELF_IMAGE_H

#include <gelf.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proc/maps.h"

struct elf_image {
	char *bytes;
	size_t len;
	Elf *elf; /* NULL once handed over to libdwfl */
};

/* Reads the image of the @mapping_cnt mappings that start at @first, from process @tgid.
 * Returns 0, or -errno: -ENODATA (not readable), -ENOEXEC (no ELF of this machine), -E2BIG. */
int elf_image_read(struct elf_image *image, pid_t tgid, const struct mapping *first,
		   uint32_t mapping_cnt);
void elf_image_release(struct elf_image *image);

/* Returns the type of the ELF file of this machine's ISA that @len bytes at @header begin, ET_NONE
 * when they begin none. */
uint16_t elf_image_type(const void *header, size_t len);

/* Whether it is that of a program or shared object, or of a debug file of one. */
bool elf_type_is_loaded(uint16_t type);

#endif
