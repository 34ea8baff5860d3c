/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "proc/debugfile.h"

#include <elfutils/libdwelf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "proc/root.h"

#define BUILD_ID_MAX_BYTES 64
#define CHECKSUM_CHUNK_BYTES 65536
#define CHECKSUM_MAX_BYTES (256 << 20)	   /* a sparse file can be endless, */
#define CHECKSUM_SUM_MAX_BYTES (512 << 20) /* and each module can have one */

/* What tells the right file from others of its name. */
struct wanted {
	const void *build_id;
	size_t build_id_len; /* 0: has none */
	GElf_Word crc;	     /* of .gnu_debuglink, where there is no build ID */
	bool object_ok;	     /* it may be an object file */
};

static bool file_matches(const struct elf_file *file, const struct wanted *wanted)
{
	const void *build_id;
	ssize_t len;

	if (!elf_file_is_loaded(file) && !wanted->object_ok)
		return false;
	if (!wanted->build_id_len)
		return true; /* the checksum matched */
	len = dwelf_elf_gnu_build_id(elf_file_elf(file), &build_id);
	return len > 0 && (size_t)len == wanted->build_id_len &&
	       !memcmp(build_id, wanted->build_id, wanted->build_id_len);
}

/* What was read of all files for their checksums. */
static off_t checksum_sum_bytes;

static bool is_too_large(off_t bytes)
{
	return bytes > CHECKSUM_MAX_BYTES || bytes > CHECKSUM_SUM_MAX_BYTES - checksum_sum_bytes;
}

/* Whether the checksum of @fd, which has @bytes, is the one that is @wanted. */
static bool crc_matches(int fd, off_t bytes, GElf_Word wanted)
{
	_cleanup_free_ unsigned char *chunk = malloc(CHECKSUM_CHUNK_BYTES);
	uLong crc = crc32(0, NULL, 0);
	off_t off = 0;
	ssize_t got;

	if (!chunk)
		return false;
	while ((got = pread(fd, chunk, CHECKSUM_CHUNK_BYTES, off)) > 0 && off < bytes) {
		crc = crc32(crc, chunk, (uInt)got);
		off += got;
	}
	checksum_sum_bytes += off;
	return !got && crc == wanted;
}

/* Opens @path under @root if it is what is @wanted. Returns whether it is. */
static bool open_wanted(struct debugfile *debugfile, const char *root, const char *path,
			const struct wanted *wanted)
{
	struct stat st;
	_cleanup_close_ int fd = root_open(root, path, true, &st);

	if (fd < 0)
		return false;
	if (!wanted->build_id_len && is_too_large(st.st_size)) {
		debugfile->unchecked = true;
		return false;
	}
	if (!wanted->build_id_len && !crc_matches(fd, st.st_size, wanted->crc))
		return false;
	debugfile->file = elf_file_open(take_fd(&fd), &st);
	if (!debugfile->file)
		return false;
	debugfile->path = strdup(path);
	debugfile->place = (struct debugfile_place){ .root = root, .path = debugfile->path };
	if (debugfile->path && file_matches(debugfile->file, wanted))
		return true;
	debugfile_release(debugfile);
	return false;
}

static bool find_by_build_id(struct debugfile *debugfile, const char *root,
			     const struct wanted *wanted)
{
	static const char dir[] = "/usr/lib/debug/.build-id/";
	const unsigned char *build_id = wanted->build_id;
	char path[sizeof(dir) + BUILD_ID_MAX_BYTES * 2 + sizeof("/.debug")];
	size_t len;

	if (wanted->build_id_len < 2 || wanted->build_id_len > BUILD_ID_MAX_BYTES)
		return false;
	len = (size_t)snprintf(path, sizeof(path), "%s%02x/", dir, build_id[0]);
	for (size_t i = 1; i < wanted->build_id_len; i++)
		len += (size_t)snprintf(path + len, sizeof(path) - len, "%02x", build_id[i]);
	snprintf(path + len, sizeof(path) - len, ".debug");
	return open_wanted(debugfile, root, path, wanted);
}

/* Finds @name, which is relative to the directory of @of. With @prefix before and @suffix behind
 * the directory. */
static bool find_beside(struct debugfile *debugfile, const char *root, const char *of,
			const char *prefix, const char *suffix, const char *name,
			const struct wanted *wanted)
{
	const char *slash = strrchr(of, '/');
	char path[PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s%.*s%s/%s", prefix, slash ? (int)(slash - of) : 0,
			   of, suffix, name);

	return len > 0 && (size_t)len < sizeof(path) && open_wanted(debugfile, root, path, wanted);
}

/* Finds @link for the file that is @path in its own root. */
static bool find_by_link(struct debugfile *debugfile, const char *root, const char *path,
			 const char *link, const struct wanted *wanted)
{
	static const char *const places[][2] = { { "", "" },
						 { "", "/.debug" },
						 { "/usr/lib/debug", "" } };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (find_beside(debugfile, root, path, places[i][0], places[i][1], link, wanted))
			return true;
	return false;
}

/* Asks debuginfod, if the user named one. */
static void fetch(struct debugfile *debugfile, Dwfl_Module *module)
{
	const char *urls = getenv("DEBUGINFOD_URLS");
	_cleanup_free_ char *name = NULL;
	struct stat st;
	int fd;

	if (!urls || !urls[0])
		return;
	fd = dwfl_standard_find_debuginfo(module, NULL, NULL, 0, NULL, NULL, 0, &name);
	if (fd < 0)
		return;
	if (fstat(fd, &st)) {
		close(fd);
		return;
	}
	debugfile->file = elf_file_open(fd, &st);
	debugfile->path = take_ptr(name);
	debugfile->place = (struct debugfile_place){ .root = "/", .path = debugfile->path };
	if (debugfile->file && !elf_file_is_loaded(debugfile->file))
		debugfile_release(debugfile);
}

void debugfile_find(struct debugfile *debugfile, Dwfl_Module *module,
		    const struct debugfile_place *place)
{
	const char *const roots[] = { place->root, "/" };
	struct wanted wanted = { 0 };
	const char *link = NULL;
	GElf_Addr bias;
	Elf *elf = dwfl_module_getelf(module, &bias);
	ssize_t len;

	*debugfile = (struct debugfile){ 0 };
	if (!elf)
		return;
	len = dwelf_elf_gnu_build_id(elf, &wanted.build_id);
	if (len > 0)
		wanted.build_id_len = (size_t)len;
	/* Without a file (the vDSO, an image from memory) there is the build ID. */
	if (place->path)
		link = dwelf_elf_gnu_debuglink(elf, &wanted.crc);
	if (link && strchr(link, '/'))
		link = NULL;
	for (size_t i = strcmp(roots[0], "/") ? 0 : 1; i < 2; i++)
		if (find_by_build_id(debugfile, roots[i], &wanted) ||
		    (link && find_by_link(debugfile, roots[i], place->path, link, &wanted)))
			return;
	if (wanted.build_id_len)
		fetch(debugfile, module);
}

bool debugfile_find_shared(struct debugfile *debugfile, Dwarf *dwarf,
			   const struct debugfile_place *place)
{
	const char *const roots[] = { place->root, "/" };
	struct wanted wanted = { .object_ok = true };
	const char *name;
	ssize_t len = dwelf_dwarf_gnu_debugaltlink(dwarf, &name, &wanted.build_id);

	*debugfile = (struct debugfile){ 0 };
	if (len <= 0)
		return false;
	wanted.build_id_len = (size_t)len;
	for (size_t i = strcmp(roots[0], "/") ? 0 : 1; i < 2; i++) {
		if (find_by_build_id(debugfile, roots[i], &wanted))
			break;
		if (name[0] == '/' ? open_wanted(debugfile, roots[i], name, &wanted)
				   : place->path && find_beside(debugfile, roots[i], place->path,
								"", "", name, &wanted))
			break;
	}
	return true;
}

void debugfile_release(struct debugfile *debugfile)
{
	elf_file_close(debugfile->file);
	free(debugfile->path);
	*debugfile = (struct debugfile){ 0 };
}
