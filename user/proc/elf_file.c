/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "proc/elf_file.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/filecopy.h"
#include "base/table.h"
#include "proc/elf_image.h"
#include "proc/elf_sections.h"

#define BUCKET_CNT 1024 /* a power of two */
#define KEPT_MAX_BYTES (8u << 20)

struct elf_file {
	struct elf_file *next;	      /* in its bucket */
	struct elf_file *next_unused; /* the one closed before it */
	struct filecopy *copy;
	Elf *elf;
	uint16_t type; /* ET_EXEC, ET_DYN, ET_REL */
	bool is_shared;
	uint32_t use_cnt;
};

/* Those that are open or kept, by device and inode. */
static struct elf_file *buckets[BUCKET_CNT];

/* Those of them that nobody uses, the last one first. */
static struct elf_file *unused;
static bool keep_unused;

static struct elf_file **bucket_of(dev_t dev, ino_t ino)
{
	return &buckets[hash_mix(hash_mix(0, dev), ino) % BUCKET_CNT];
}

/* Returns the file of @st if it is open and what it was then, or NULL. */
static struct elf_file *find_open(const struct stat *st)
{
	struct elf_file *file = *bucket_of(st->st_dev, st->st_ino);

	for (; file; file = file->next)
		if (file->is_shared && filecopy_is_of(file->copy, st))
			return file;
	return NULL;
}

static struct elf_file *open_new(int fd, const struct stat *st)
{
	struct elf_file *file = calloc(1, sizeof(*file)), **bucket;
	int err;

	if (!file) {
		close(fd);
		return NULL;
	}
	file->copy = filecopy_new(fd, st);
	if (!file->copy) {
		err = -errno;
		goto fail;
	}
	file->type = elf_image_type(file->copy->bytes, file->copy->len);
	if (elf_type_is_loaded(file->type) || file->type == ET_REL)
		file->elf = elf_memory(file->copy->bytes, file->copy->len);
	if (elf_kind(file->elf) != ELF_K_ELF) {
		err = -ENOEXEC;
		goto fail;
	}
	/* libdw cannot tell what it has decompressed of these, and does it again each time. That
	 * takes the ground from under who used it before, if what comes out looks compressed as
	 * well. */
	file->is_shared = !elf_has_section_like(file->elf, ".zdebug");
	file->use_cnt = 1;
	bucket = bucket_of(st->st_dev, st->st_ino);
	file->next = *bucket;
	*bucket = file;
	return file;
fail:
	elf_end(file->elf);
	filecopy_free(file->copy);
	free(file);
	errno = -err;
	return NULL;
}

static void file_free(struct elf_file *file)
{
	struct elf_file **link = bucket_of(file->copy->dev, file->copy->ino);

	while (*link != file)
		link = &(*link)->next;
	*link = file->next;
	elf_end(file->elf);
	filecopy_free(file->copy);
	free(file);
}

/* Frees the unused files beyond the last ones, in which @max_bytes were read. */
static void free_unused(uint64_t max_bytes)
{
	struct elf_file **link = &unused;
	uint64_t bytes = 0;

	while (*link) {
		struct elf_file *file = *link;

		bytes += file->copy->read_bytes;
		if (bytes <= max_bytes) {
			link = &file->next_unused;
		} else {
			*link = file->next_unused;
			file_free(file);
		}
	}
}

static void use_again(struct elf_file *file)
{
	struct elf_file **link = &unused;

	while (*link != file)
		link = &(*link)->next_unused;
	*link = file->next_unused;
}

struct elf_file *elf_file_open(int fd, const struct stat *st)
{
	struct elf_file *file = find_open(st);

	if (!file)
		return open_new(fd, st);
	close(fd);
	if (!file->use_cnt)
		use_again(file);
	file->use_cnt++;
	return file;
}

void elf_file_close(struct elf_file *file)
{
	if (!file || --file->use_cnt)
		return;
	if (!keep_unused || !file->is_shared) {
		file_free(file);
		return;
	}
	file->next_unused = unused;
	unused = file;
	free_unused(KEPT_MAX_BYTES);
}

void elf_files_keep(void)
{
	keep_unused = true;
}

void elf_files_drop(void)
{
	keep_unused = false;
	free_unused(0);
}

Elf *elf_file_elf(const struct elf_file *file)
{
	return file->elf;
}

Elf *elf_file_share_elf(const struct elf_file *file)
{
	return elf_begin(-1, ELF_C_READ, file->elf);
}

bool elf_file_is_loaded(const struct elf_file *file)
{
	return elf_type_is_loaded(file->type);
}

bool elf_file_is_changed(const struct elf_file *file)
{
	return file->copy->state == FILECOPY_CHANGED;
}

bool elf_file_is_unreadable(const struct elf_file *file)
{
	return file->copy->state == FILECOPY_UNREADABLE;
}
