/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "proc/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "proc/debuginfo.h"
#include "proc/dwfl_elf.h"
#include "proc/elf_file.h"
#include "proc/elf_image.h"
#include "proc/root.h"

#define MODULE_MAX 65536

/* A run of neighbouring mappings of one file. */
struct slot {
	struct module module; /* first, so that one is found from the other */
	uint32_t first_mapping, mapping_cnt;
	bool tried;
	struct slot *home;	/* another run of the file, whose module this one has; or itself */
	struct elf_file *file;	/* NULL: none, or put together from memory */
	GElf_Addr bias;		/* of the file */
	struct elf_image image; /* when the file is put together from memory */
	Elf *elf;		/* of either, until libdwfl takes it */
	struct debuginfo debuginfo;
};

struct modules {
	pid_t tgid;
	const struct maps *maps;
	char root[32]; /* where the target's files are seen: /proc/PID/root, if not as loiter's */
	Dwfl *dwfl;
	Dwfl *debug_dwfl; /* of separate debug files, at the addresses of theirs */
	struct vec slots; /* struct slot, by address */
	struct modules_losses losses;
};

static const char vdso_name[] = "[vdso]";

static bool same_file(const struct maps *maps, const struct mapping *a, const struct mapping *b)
{
	return a->inode == b->inode && a->dev_major == b->dev_major &&
	       a->dev_minor == b->dev_minor && !strcmp(maps_path(maps, a), maps_path(maps, b));
}

/* Makes one slot of each run of mappings of the same file that has code in it. */
static int find_runs(struct modules *modules)
{
	const struct maps *maps = modules->maps;
	uint32_t cnt = maps->mappings.len, next;

	for (uint32_t i = 0; i < cnt; i = next) {
		const struct mapping *first = vec_at(&maps->mappings, i), *last = first;
		bool code = first->executable;
		struct slot *slot;

		for (next = i + 1; next < cnt; next++) {
			const struct mapping *mapping = vec_at(&maps->mappings, next);

			/* A file mapped twice in a row starts over at a lower offset. */
			if (!first->inode || !same_file(maps, first, mapping) ||
			    mapping->file_off < last->file_off)
				break;
			code |= mapping->executable;
			last = mapping;
		}
		if (!code || (!first->inode && strcmp(maps_path(maps, first), vdso_name)))
			continue;
		slot = vec_push(&modules->slots);
		if (!slot)
			return -errno;
		*slot = (struct slot){ .first_mapping = i, .mapping_cnt = next - i };
		slot->module = (struct module){ .path = maps_path(maps, first),
						.start_addr = first->start_addr,
						.end_addr = last->end_addr,
						.idx = modules->slots.len - 1 };
	}
	return 0;
}

static bool is_foreign_root(pid_t tgid)
{
	struct stat own, other;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/root/", tgid);
	if (stat("/", &own) || stat(path, &other))
		return false;
	return own.st_dev != other.st_dev || own.st_ino != other.st_ino;
}

struct modules *modules_new(pid_t tgid, const struct maps *maps, struct err *err)
{
	struct modules *modules = calloc(1, sizeof(*modules));

	if (!modules)
		goto fail;
	modules->tgid = tgid;
	modules->maps = maps;
	snprintf(modules->root, sizeof(modules->root), "/");
	if (is_foreign_root(tgid))
		snprintf(modules->root, sizeof(modules->root), "/proc/%d/root", tgid);
	vec_init(&modules->slots, sizeof(struct slot), MODULE_MAX);
	if (find_runs(modules))
		goto fail;
	elf_version(EV_CURRENT);
	modules->dwfl = dwfl_elf_begin();
	modules->debug_dwfl = dwfl_elf_begin();
	if (!modules->dwfl || !modules->debug_dwfl)
		goto fail;
	return modules;
fail:
	modules_free(modules);
	err_set(err, -ENOMEM, "not enough memory for the modules of process %d", tgid);
	return NULL;
}

void modules_free(struct modules *modules)
{
	if (!modules)
		return;
	dwfl_end(modules->dwfl);
	dwfl_end(modules->debug_dwfl);
	for (uint32_t i = 0; i < modules->slots.len; i++) {
		struct slot *slot = vec_at(&modules->slots, i);

		debuginfo_release(&slot->debuginfo);
		elf_end(slot->elf);
		elf_file_close(slot->file);
		elf_image_release(&slot->image);
	}
	vec_release(&modules->slots);
	free(modules);
}

/* Another file can be mapped there by now, or another process have the pid. Devices are not
 * compared: file systems such as btrfs and overlayfs show one number in the map and another in
 * stat(2). */
static int check_inode(struct modules *modules, int fd, const struct stat *st,
		       const struct mapping *mapping)
{
	if (st->st_ino == mapping->inode)
		return fd;
	modules->losses.changed_cnt++;
	close(fd);
	return -ESTALE;
}

static int open_map_file(struct modules *modules, const struct mapping *mapping,
			 struct stat *ret_st)
{
	char path[80];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", modules->tgid,
		 (unsigned long long)mapping->start_addr, (unsigned long long)mapping->end_addr);
	fd = root_open_magic(path, ret_st);
	return fd < 0 ? fd : check_inode(modules, fd, ret_st, mapping);
}

static int open_by_path(struct modules *modules, const struct mapping *mapping, const char *path,
			struct stat *ret_st)
{
	char root[32];
	int fd;

	snprintf(root, sizeof(root), "/proc/%d/root", modules->tgid);
	fd = root_open(root, path, true, ret_st);
	return fd < 0 ? fd : check_inode(modules, fd, ret_st, mapping);
}

/* Returns the address that the file's own address 0 has in the process, from the segment that the
 * run's first executable mapping belongs to. Returns 0 on success. */
static int find_bias(const struct modules *modules, const struct slot *slot, Elf *elf,
		     GElf_Addr *ret_bias)
{
	size_t phdr_cnt;
	int err = -ENOEXEC;

	if (elf_getphdrnum(elf, &phdr_cnt))
		return err;
	for (uint32_t i = 0; i < slot->mapping_cnt && err; i++) {
		const struct mapping *mapping =
			vec_at(&modules->maps->mappings, slot->first_mapping + i);
		GElf_Phdr phdr;

		if (!mapping->executable)
			continue;
		for (size_t p = 0; p < phdr_cnt && err; p++) {
			if (!gelf_getphdr(elf, (int)p, &phdr) || phdr.p_type != PT_LOAD ||
			    !(phdr.p_flags & PF_X))
				continue;
			if (mapping->file_off + (mapping->end_addr - mapping->start_addr) <=
				    phdr.p_offset ||
			    mapping->file_off >= phdr.p_offset + phdr.p_filesz)
				continue;
			*ret_bias = mapping->start_addr -
				    (phdr.p_vaddr + (mapping->file_off - phdr.p_offset));
			err = 0;
		}
	}
	return err;
}

/* Returns another run of the same file in the same place, when something else is
 * mapped over its middle (huge pages for code, say); NULL when there is none. */
static struct slot *find_reported(const struct modules *modules, const struct slot *slot)
{
	const struct vec *mappings = &modules->maps->mappings;

	for (uint32_t i = 0; i < modules->slots.len; i++) {
		struct slot *other = vec_at(&modules->slots, i);

		if (other->module.dwfl && other->file && other->bias == slot->bias &&
		    same_file(modules->maps, vec_at(mappings, other->first_mapping),
			      vec_at(mappings, slot->first_mapping)))
			return other->home;
	}
	return NULL;
}

static void report_file(struct modules *modules, struct slot *slot, int fd, const struct stat *st)
{
	GElf_Addr start, end;
	GElf_Ehdr ehdr;
	Elf *elf;

	slot->file = elf_file_open(fd, st);
	if (!slot->file || !elf_file_is_loaded(slot->file))
		return;
	elf = elf_file_elf(slot->file);
	if (!gelf_getehdr(elf, &ehdr) || find_bias(modules, slot, elf, &slot->bias))
		return;
	/* V8 maps its built-in functions a second time, near its heap. libdwfl would take the
	 * addresses for those of the file. */
	if (ehdr.e_type == ET_EXEC && slot->bias) {
		slot->module.displacement = slot->bias;
		return;
	}
	slot->home = find_reported(modules, slot);
	if (slot->home) {
		slot->module.dwfl = slot->home->module.dwfl;
		return;
	}
	if (dwfl_elf_range(elf, slot->bias, &start, &end))
		return;
	slot->elf = elf_file_share_elf(slot->file);
	slot->module.dwfl =
		dwfl_elf_report(modules->dwfl, slot->module.idx, start, end, &slot->elf);
}

static void report_image(struct modules *modules, struct slot *slot)
{
	const struct mapping *first = vec_at(&modules->maps->mappings, slot->first_mapping);

	if (elf_image_read(&slot->image, modules->tgid, first, slot->mapping_cnt))
		return;
	slot->elf = take_ptr(slot->image.elf);
	slot->module.dwfl =
		dwfl_elf_report(modules->dwfl, slot->module.idx, slot->module.start_addr,
				slot->module.end_addr, &slot->elf);
}

static void slot_open(struct modules *modules, struct slot *slot)
{
	const struct mapping *first = vec_at(&modules->maps->mappings, slot->first_mapping);
	bool still_there = true;
	struct stat st;
	int fd = -1;

	slot->tried = true;
	if (first->inode) {
		fd = open_map_file(modules, first, &st);
		still_there = fd != -ESTALE && fd != -ENOENT;
		if (fd < 0 && !first->deleted)
			fd = open_by_path(modules, first, slot->module.path, &st);
	}
	if (fd >= 0)
		report_file(modules, slot, fd, &st);
	else if (still_there)
		report_image(modules, slot);
	if (!slot->home)
		slot->home = slot;
	slot->debuginfo = (struct debuginfo){
		.own = slot->module.dwfl,
		.place = { .root = modules->root, .path = slot->file ? slot->module.path : NULL },
		.dwfl = modules->debug_dwfl,
		.name = slot->module.idx,
	};
	if (!slot->module.dwfl && !slot->module.displacement)
		modules->losses.unreadable_cnt++;
}

const struct module *modules_find(struct modules *modules, uint64_t addr)
{
	uint32_t low = 0, high = modules->slots.len;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		struct slot *slot = vec_at(&modules->slots, mid);

		if (addr < slot->module.start_addr) {
			high = mid;
		} else if (addr >= slot->module.end_addr) {
			low = mid + 1;
		} else {
			if (!slot->tried)
				slot_open(modules, slot);
			return &slot->module;
		}
	}
	return NULL;
}

void module_build_id(const struct module *module, char ret_text[MODULE_BUILD_ID_BYTES])
{
	const unsigned char *bytes = NULL;
	GElf_Addr addr, bias;
	int cnt = 0;

	/* libdwfl tells the build ID only of a module whose file it has opened. */
	if (module->dwfl && dwfl_module_getelf(module->dwfl, &bias))
		cnt = dwfl_module_build_id(module->dwfl, &bytes, &addr);
	if (cnt < 0 || cnt > (MODULE_BUILD_ID_BYTES - 1) / 2 || module_is_lost(module))
		cnt = 0;
	ret_text[0] = '\0';
	for (int i = 0; i < cnt; i++)
		snprintf(ret_text + 2 * i, 3, "%02x", bytes[i]);
}

uint32_t modules_cnt(const struct modules *modules)
{
	return modules->slots.len;
}

void modules_open_all(struct modules *modules)
{
	for (uint32_t i = 0; i < modules->slots.len; i++) {
		struct slot *slot = vec_at(&modules->slots, i);

		if (!slot->tried)
			slot_open(modules, slot);
	}
}

Dwfl *modules_dwfl(struct modules *modules)
{
	return modules->dwfl;
}

/* Returns the slot of @module, with what its file told. */
static struct slot *home_of(const struct module *module)
{
	return ((const struct slot *)module)->home;
}

Dwfl_Module *module_symbols(const struct module *module)
{
	return debuginfo_symbols(&home_of(module)->debuginfo);
}

Dwfl_Module *module_dwarf(const struct module *module)
{
	return debuginfo_dwarf(&home_of(module)->debuginfo);
}

/* Returns how many files of @slot @is_lost holds for. */
static uint32_t count_files(const struct slot *slot, bool (*is_lost)(const struct elf_file *))
{
	const struct elf_file *files[] = { slot->file, slot->debuginfo.separate.file,
					   slot->debuginfo.shared.file };
	uint32_t cnt = 0;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		cnt += files[i] && is_lost(files[i]);
	return cnt;
}

bool module_is_lost(const struct module *module)
{
	const struct slot *home = home_of(module);

	return count_files(home, elf_file_is_changed) || count_files(home, elf_file_is_unreadable);
}

bool modules_read_code(struct modules *modules, uint64_t addr, void *dst, size_t len)
{
	const struct mapping *mapping = maps_find(modules->maps, addr);
	const struct module *module = modules_find(modules, addr);
	const char *bytes;
	size_t file_len;
	uint64_t off;

	if (!mapping || !mapping->executable || len > mapping->end_addr - addr)
		return false;
	if (!module || !module->dwfl || !home_of(module)->file)
		return false;
	bytes = elf_rawfile(elf_file_elf(home_of(module)->file), &file_len);
	off = mapping->file_off + (addr - mapping->start_addr);
	if (!bytes || off > file_len || len > file_len - off)
		return false;
	memcpy(dst, bytes + off, len);
	return !module_is_lost(module);
}

struct modules_losses modules_losses(const struct modules *modules)
{
	struct modules_losses losses = modules->losses;

	for (uint32_t i = 0; i < modules->slots.len; i++) {
		const struct slot *slot = vec_at(&modules->slots, i);

		if (slot->home != slot)
			continue;
		losses.changed_cnt += count_files(slot, elf_file_is_changed);
		losses.unreadable_cnt += count_files(slot, elf_file_is_unreadable);
	}
	return losses;
}
