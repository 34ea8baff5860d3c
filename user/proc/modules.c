/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "proc/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "proc/debugfile.h"
#include "proc/elf_image.h"
#include "proc/root.h"

#define MODULE_MAX 65536

/* A run of neighbouring mappings of one file. */
struct slot {
	struct module module;
	uint32_t first_mapping, mapping_cnt;
	bool tried;
	GElf_Addr bias;		/* of the file; only when .module.dwfl is one of a file */
	struct elf_image image; /* when the file is put together from memory */
};

struct modules {
	pid_t tgid;
	const struct maps *maps;
	bool foreign_root; /* the target sees another file system than loiter does */
	Dwfl *dwfl;
	Dwfl_Callbacks callbacks;
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

/* Called by libdwfl for a module that was reported without a file: the image is what there is. */
static int find_elf_image(Dwfl_Module *dwfl_module, void **userdata, const char *name,
			  Dwarf_Addr base, char **file_name, Elf **elf)
{
	struct elf_image *image = *userdata;

	(void)dwfl_module;
	(void)name;
	(void)base;
	(void)file_name;
	if (image && image->elf)
		*elf = take_ptr(image->elf);
	return -1;
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
	modules->foreign_root = is_foreign_root(tgid);
	vec_init(&modules->slots, sizeof(struct slot), MODULE_MAX);
	if (find_runs(modules))
		goto fail;
	modules->callbacks = (Dwfl_Callbacks){ .find_elf = find_elf_image };
	debugfile_set_callbacks(&modules->callbacks);
	elf_version(EV_CURRENT);
	modules->dwfl = dwfl_begin(&modules->callbacks);
	if (!modules->dwfl)
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
	if (modules->dwfl)
		dwfl_end(modules->dwfl);
	for (uint32_t i = 0; i < modules->slots.len; i++)
		elf_image_release(&((struct slot *)vec_at(&modules->slots, i))->image);
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

static int open_map_file(struct modules *modules, const struct mapping *mapping)
{
	struct stat st;
	char path[80];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", modules->tgid,
		 (unsigned long long)mapping->start_addr, (unsigned long long)mapping->end_addr);
	fd = root_open_magic(path, &st);
	return fd < 0 ? fd : check_inode(modules, fd, &st, mapping);
}

static int open_by_path(struct modules *modules, const struct mapping *mapping, const char *path)
{
	struct stat st;
	char root[32];
	int fd;

	snprintf(root, sizeof(root), "/proc/%d/root", modules->tgid);
	fd = root_open(root, path, true, &st);
	return fd < 0 ? fd : check_inode(modules, fd, &st, mapping);
}

/* Returns ET_EXEC or ET_DYN; ET_NONE for what is no ELF file of this machine. */
static int elf_type(int fd)
{
	GElf_Ehdr ehdr;

	if (pread(fd, &ehdr, sizeof(ehdr), 0) != sizeof(ehdr) ||
	    !elf_image_header_ok(&ehdr, sizeof(ehdr)))
		return ET_NONE;
	return ehdr.e_type;
}

/* Returns the address that the file's own address 0 has in the process, from the segment that the
 * run's first executable mapping belongs to. Returns 0 on success. */
static int find_bias(const struct modules *modules, const struct slot *slot, int fd,
		     GElf_Addr *ret_bias)
{
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	size_t phdr_cnt;
	int err = -ENOEXEC;

	if (!elf || elf_getphdrnum(elf, &phdr_cnt))
		goto out;
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
out:
	if (elf)
		elf_end(elf);
	return err;
}

/* Returns the module of another run of the same file in the same place, when something else is
 * mapped over its middle (huge pages for code, say); NULL when there is none. */
static Dwfl_Module *find_reported(const struct modules *modules, const struct slot *slot)
{
	const struct vec *mappings = &modules->maps->mappings;

	for (uint32_t i = 0; i < modules->slots.len; i++) {
		const struct slot *other = vec_at(&modules->slots, i);

		if (other->module.dwfl && !other->image.bytes && other->bias == slot->bias &&
		    same_file(modules->maps, vec_at(mappings, other->first_mapping),
			      vec_at(mappings, slot->first_mapping)))
			return other->module.dwfl;
	}
	return NULL;
}

/* Each module's name is its own: one that is reported with the name and addresses of another makes
 * libdwfl free that other, whoever still uses it. */
static const char *dwfl_name(const struct slot *slot, char name[16])
{
	snprintf(name, 16, "%u", slot->module.idx);
	return name;
}

static Dwfl_Module *report_file(struct modules *modules, struct slot *slot, int fd)
{
	char path[4096 + 32], name[16];
	Dwfl_Module *dwfl_module;
	int type = elf_type(fd);

	if (type == ET_NONE || find_bias(modules, slot, fd, &slot->bias))
		return NULL;
	/* V8 maps its built-in functions a second time, near its heap. libdwfl would take the
	 * addresses for those of the file. */
	if (type == ET_EXEC && slot->bias) {
		slot->module.displacement = slot->bias;
		return NULL;
	}
	dwfl_module = find_reported(modules, slot);
	if (dwfl_module)
		return dwfl_module;
	/* Separate debug files are looked for beside this path. */
	if (modules->foreign_root)
		snprintf(path, sizeof(path), "/proc/%d/root%s", modules->tgid, slot->module.path);
	else
		snprintf(path, sizeof(path), "%s", slot->module.path);
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return NULL;
	dwfl_report_begin_add(modules->dwfl);
	dwfl_module =
		dwfl_report_elf(modules->dwfl, dwfl_name(slot, name), path, fd, slot->bias, true);
	dwfl_report_end(modules->dwfl, NULL, NULL);
	if (!dwfl_module)
		close(fd);
	return dwfl_module;
}

static Dwfl_Module *report_image(struct modules *modules, struct slot *slot)
{
	const struct mapping *first = vec_at(&modules->maps->mappings, slot->first_mapping);
	Dwfl_Module *dwfl_module;
	void **userdata;
	char name[16];

	if (elf_image_read(&slot->image, modules->tgid, first, slot->mapping_cnt))
		return NULL;
	dwfl_report_begin_add(modules->dwfl);
	dwfl_module = dwfl_report_module(modules->dwfl, dwfl_name(slot, name),
					 slot->module.start_addr, slot->module.end_addr);
	dwfl_report_end(modules->dwfl, NULL, NULL);
	if (dwfl_module &&
	    !dwfl_module_info(dwfl_module, &userdata, NULL, NULL, NULL, NULL, NULL, NULL))
		return NULL;
	if (dwfl_module)
		*userdata = &slot->image;
	return dwfl_module;
}

static void slot_open(struct modules *modules, struct slot *slot)
{
	const struct mapping *first = vec_at(&modules->maps->mappings, slot->first_mapping);
	_cleanup_close_ int fd = -1;
	bool still_there = true;

	slot->tried = true;
	if (first->inode) {
		fd = open_map_file(modules, first);
		still_there = fd != -ESTALE && fd != -ENOENT;
		if (fd < 0 && !first->deleted)
			fd = open_by_path(modules, first, slot->module.path);
	}
	if (fd >= 0)
		slot->module.dwfl = report_file(modules, slot, fd);
	else if (still_there)
		slot->module.dwfl = report_image(modules, slot);
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
	if (cnt < 0 || cnt > (MODULE_BUILD_ID_BYTES - 1) / 2)
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

struct modules_losses modules_losses(const struct modules *modules)
{
	return modules->losses;
}
