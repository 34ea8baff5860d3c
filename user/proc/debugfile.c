/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "proc/debugfile.h"

#include <elfutils/libdwelf.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "proc/root.h"

#define BUILD_ID_MAX_BYTES 64
#define CHECKSUM_CHUNK_BYTES 65536
#define CHECKSUM_MAX_BYTES (256 << 20) /* a sparse file can be endless */

/* What tells the right file from others of its name. */
struct wanted {
	const unsigned char *build_id;
	size_t build_id_len; /* 0: has none */
	GElf_Word crc;	     /* of .gnu_debuglink, where there is no build ID */
};

static bool build_id_matches(int fd, const struct wanted *wanted)
{
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	const void *build_id;
	ssize_t len = elf ? dwelf_elf_gnu_build_id(elf, &build_id) : -1;
	bool matches = len > 0 && (size_t)len == wanted->build_id_len &&
		       !memcmp(build_id, wanted->build_id, wanted->build_id_len);

	elf_end(elf);
	return matches;
}

static bool crc_matches(int fd, GElf_Word wanted)
{
	_cleanup_free_ unsigned char *chunk = malloc(CHECKSUM_CHUNK_BYTES);
	uLong crc = crc32(0, NULL, 0);
	off_t off = 0;
	ssize_t got;

	if (!chunk)
		return false;
	while ((got = pread(fd, chunk, CHECKSUM_CHUNK_BYTES, off)) > 0 &&
	       off < CHECKSUM_MAX_BYTES) {
		crc = crc32(crc, chunk, (uInt)got);
		off += got;
	}
	return !got && crc == wanted;
}

/* Opens @path under @root if it is what is @wanted. Returns the descriptor, with the whole path in
 * @ret_name, or -1. */
static int open_wanted(const char *root, const char *path, const struct wanted *wanted,
		       char **ret_name)
{
	struct stat st;
	_cleanup_close_ int fd = root_open(root, path, true, &st);
	char *name;

	if (fd < 0)
		return -1;
	if (wanted->build_id_len ? !build_id_matches(fd, wanted) : !crc_matches(fd, wanted->crc))
		return -1;
	if (asprintf(&name, "%s%s%s", root, root[1] ? "/" : "", path) < 0)
		return -1;
	*ret_name = name;
	return take_fd(&fd);
}

static int find_by_build_id(const char *root, const struct wanted *wanted, char **ret_name)
{
	static const char dir[] = "usr/lib/debug/.build-id/";
	char path[sizeof(dir) + BUILD_ID_MAX_BYTES * 2 + sizeof("/.debug")];
	size_t len;

	if (wanted->build_id_len < 2 || wanted->build_id_len > BUILD_ID_MAX_BYTES)
		return -1;
	len = (size_t)snprintf(path, sizeof(path), "%s%02x/", dir, wanted->build_id[0]);
	for (size_t i = 1; i < wanted->build_id_len; i++)
		len += (size_t)snprintf(path + len, sizeof(path) - len, "%02x",
					wanted->build_id[i]);
	snprintf(path + len, sizeof(path) - len, ".debug");
	return open_wanted(root, path, wanted, ret_name);
}

/* Finds @link for a file that lies in @dir, a path in the root. */
static int find_by_link(const char *root, const char *dir, const char *link,
			const struct wanted *wanted, char **ret_name)
{
	static const char *const places[][2] = { { "", "" },
						 { "", "/.debug" },
						 { "usr/lib/debug", "" } };
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int len = snprintf(path, sizeof(path), "%s%s%s/%s", places[i][0], dir, places[i][1],
				   link);
		int fd = -1;

		if (len > 0 && (size_t)len < sizeof(path))
			fd = open_wanted(root, path, wanted, ret_name);
		if (fd >= 0)
			return fd;
	}
	return -1;
}

/* Where a module's file lies: a directory, within the root that it is seen through. */
struct place {
	char root[32]; /* "/" or "/proc/PID/root" */
	char dir[PATH_MAX];
};

/* Splits @file_name, which is as modules.c composed it. Returns whether it can be used. */
static bool place_split(struct place *place, const char *file_name)
{
	static const char proc[] = "/proc/", root[] = "/root/";
	const char *rest = file_name, *slash;
	size_t len;

	snprintf(place->root, sizeof(place->root), "/");
	if (!strncmp(file_name, proc, strlen(proc))) {
		len = strlen(proc) + strspn(file_name + strlen(proc), "0123456789");
		if (!strncmp(file_name + len, root, strlen(root))) {
			len += strlen(root) - 1;
			if (len >= sizeof(place->root))
				return false;
			memcpy(place->root, file_name, len);
			place->root[len] = '\0';
			rest = file_name + len;
		}
	}
	slash = strrchr(rest, '/');
	len = slash ? (size_t)(slash - rest) : 0;
	if (!slash || len >= sizeof(place->dir))
		return false;
	memcpy(place->dir, rest, len);
	place->dir[len] = '\0';
	return true;
}

static int find_in_place(const struct place *place, const char *link, const struct wanted *wanted,
			 char **ret_name)
{
	int fd = find_by_build_id(place->root, wanted, ret_name);

	if (fd < 0 && link)
		fd = find_by_link(place->root, place->dir, link, wanted, ret_name);
	return fd;
}

/* libdwfl's callback. A @link with a directory in it is no debug link but that of a file shared by
 * several debug files (dwz), which libdw finds by itself. */
static int find_debugfile(Dwfl_Module *module, void **userdata, const char *module_name,
			  GElf_Addr base, const char *file_name, const char *link, GElf_Word crc,
			  char **ret_name)
{
	const char *urls = getenv("DEBUGINFOD_URLS");
	struct wanted wanted = { .crc = crc };
	struct place place = { .root = "/" };
	GElf_Addr build_id_addr;
	int len = dwfl_module_build_id(module, &wanted.build_id, &build_id_addr);
	int fd;

	if (len > 0)
		wanted.build_id_len = (size_t)len;
	if (link && strchr(link, '/'))
		return -1;
	/* Without a file (the vDSO, an image from memory) there is the build ID. */
	if (!file_name || !place_split(&place, file_name))
		link = NULL;
	fd = find_in_place(&place, link, &wanted, ret_name);
	if (fd < 0 && strcmp(place.root, "/") != 0) {
		snprintf(place.root, sizeof(place.root), "/");
		fd = find_in_place(&place, link, &wanted, ret_name);
	}
	if (fd < 0 && wanted.build_id_len && urls && urls[0])
		fd = dwfl_standard_find_debuginfo(module, userdata, module_name, base, file_name,
						  NULL, 0, ret_name);
	return fd;
}

void debugfile_set_callbacks(Dwfl_Callbacks *callbacks)
{
	/* Where libdwfl itself may look, when it is asked: nowhere that a target can write. */
	static char trusted_path[] = "/usr/lib/debug";
	static char *trusted_path_ref = trusted_path;

	callbacks->find_debuginfo = find_debugfile;
	callbacks->debuginfo_path = &trusted_path_ref;
}
