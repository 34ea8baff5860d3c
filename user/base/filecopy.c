/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "base/filecopy.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/vec.h"

#define PIECE_BYTES 16384u
#define PIECE_MAX 65536u /* of one copy; those of a larger file are larger */
#define RUN_BYTES (256u << 10)
#define COPY_MAX (1u << 20)

/* A handler is the whole process's, so what it looks at is too. */
static struct {
	struct vec copies; /* struct filecopy *, by address */
	uint64_t read_bytes;
	struct sigaction previous;
	bool installed;
} all;

static size_t piece_cnt(const struct filecopy *copy)
{
	return (copy->len + copy->piece_bytes - 1) / copy->piece_bytes;
}

/* Whole pieces, so that one can be put in place of the last one too. */
static size_t mapped_bytes(const struct filecopy *copy)
{
	return piece_cnt(copy) * copy->piece_bytes;
}

static bool has_piece(const struct filecopy *copy, size_t piece)
{
	return copy->have[piece / 8] >> piece % 8 & 1;
}

/* Returns the index of the first copy that lies behind @addr. */
static uint32_t copies_after(const char *addr)
{
	uint32_t low = 0, high = all.copies.len;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const struct filecopy *copy = *(struct filecopy **)vec_at(&all.copies, mid);

		if (copy->bytes <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* ---- a piece is touched: all of this runs in the handler, and calls only what may be called
 * there ---- */

/* Puts zeros where the pieces @first up to @end are not there yet; @how: MAP_FIXED or its like. */
static bool map_zeros(struct filecopy *copy, size_t first, size_t end, int how)
{
	char *start = copy->bytes + first * copy->piece_bytes;

	if (mmap(start, (end - first) * copy->piece_bytes, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | how, -1, 0) != start)
		return false;
	for (size_t i = first; i < end; i++)
		copy->have[i / 8] |= (uint8_t)(1u << i % 8);
	return true;
}

/* As a last resort, when the process may have no more mappings: puts zeros over the whole gap that
 * @piece lies in, which is one mapping and joins those beside it. */
static bool fill_gap(struct filecopy *copy, size_t piece)
{
	size_t first = piece, end = piece + 1;

	while (first && !has_piece(copy, first - 1))
		first--;
	while (end < piece_cnt(copy) && !has_piece(copy, end))
		end++;
	copy->state = FILECOPY_UNREADABLE;
	return map_zeros(copy, first, end, MAP_FIXED) ||
	       (!munmap(copy->bytes + first * copy->piece_bytes,
			(end - first) * copy->piece_bytes) &&
		map_zeros(copy, first, end, MAP_FIXED_NOREPLACE));
}

/* Its ctime does not tell: that changes when a file loses its name to a newer one, as in every
 * upgrade, and such a file is still what it was. */
static bool is_same(const struct filecopy *copy, const struct stat *st)
{
	return st->st_dev == copy->dev && st->st_ino == copy->ino &&
	       (uint64_t)st->st_size == copy->len && st->st_mtim.tv_sec == copy->mtime.tv_sec &&
	       st->st_mtim.tv_nsec == copy->mtime.tv_nsec;
}

static bool read_all(int fd, char *bytes, size_t len, size_t off)
{
	while (len) {
		ssize_t got = pread(fd, bytes, len, (off_t)off);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		bytes += got;
		off += (size_t)got;
		len -= (size_t)got;
	}
	return true;
}

/* Returns the end of what is read along with @piece: as many as are there in a row before it, so
 * that few faults read a table from its start on, and no table is read because of one look. */
static size_t run_end(const struct filecopy *copy, size_t piece)
{
	size_t end = piece + 1, before = 0;

	while (before < piece && (before + 1) * copy->piece_bytes <= RUN_BYTES &&
	       has_piece(copy, piece - 1 - before))
		before++;
	while (end < piece_cnt(copy) && end - piece < before && !has_piece(copy, end))
		end++;
	return end;
}

/* Reads @len bytes into zeros at @off, or leaves those. */
static void read_bytes(struct filecopy *copy, size_t off, size_t len)
{
	bool whole = read_all(copy->fd, copy->bytes + off, len, off);
	struct stat st;

	/* Asked afterwards, since it may change during the reading too. */
	if (fstat(copy->fd, &st) || !is_same(copy, &st))
		copy->state = FILECOPY_CHANGED;
	else if (!whole)
		copy->state = FILECOPY_UNREADABLE;
	if (copy->state != FILECOPY_GOOD) {
		memset(copy->bytes + off, 0, len);
		return;
	}
	copy->read_bytes += len;
	all.read_bytes += len;
}

static bool put_piece(struct filecopy *copy, size_t piece)
{
	size_t end = run_end(copy, piece), off = piece * copy->piece_bytes;
	size_t len = end * copy->piece_bytes - off;

	if (len > copy->len - off)
		len = copy->len - off;
	if (copy->state == FILECOPY_GOOD && len > FILECOPY_MAX_BYTES - all.read_bytes)
		copy->state = FILECOPY_UNREADABLE;
	if (copy->state != FILECOPY_GOOD)
		return map_zeros(copy, piece, piece + 1, MAP_FIXED) || fill_gap(copy, piece);
	if (!map_zeros(copy, piece, end, MAP_FIXED | MAP_POPULATE))
		return fill_gap(copy, piece);
	read_bytes(copy, off, len);
	return true;
}

/* A fault that is none of a copy's is left to who was there before, when the instruction runs
 * again. */
static void on_sigbus(int signal_nr, siginfo_t *info, void *context)
{
	const char *addr = info->si_addr;
	int saved_errno = errno;
	bool ours = false;
	uint32_t next;

	(void)context;
	next = info->si_code == BUS_ADRERR ? copies_after(addr) : 0;
	if (next) {
		struct filecopy *copy = *(struct filecopy **)vec_at(&all.copies, next - 1);
		size_t piece = (size_t)(addr - copy->bytes) / copy->piece_bytes;

		ours = piece < piece_cnt(copy) && !has_piece(copy, piece) && put_piece(copy, piece);
	}
	if (!ours)
		sigaction(signal_nr, &all.previous, NULL);
	errno = saved_errno;
}

/* ---- life cycle ---- */

static int install(void)
{
	struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };

	if (all.installed)
		return 0;
	vec_init(&all.copies, sizeof(struct filecopy *), COPY_MAX);
	if (sigaction(SIGBUS, &action, &all.previous))
		return -errno;
	all.installed = true;
	return 0;
}

/* Returns where @len bytes are that raise SIGBUS when touched, or NULL. */
static char *map_nothing(size_t len)
{
	_cleanup_close_ int fd = file_in_memory("filecopy");
	void *bytes;

	if (fd < 0)
		return NULL;
	bytes = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
	return bytes == MAP_FAILED ? NULL : bytes;
}

static int list_copy(struct filecopy *copy)
{
	uint32_t idx = copies_after(copy->bytes);
	struct filecopy **slot;

	if (!vec_push(&all.copies))
		return -errno;
	slot = vec_at(&all.copies, idx);
	memmove(slot + 1, slot, (all.copies.len - 1 - idx) * sizeof(*slot));
	*slot = copy;
	return 0;
}

static void unlist_copy(struct filecopy *copy)
{
	uint32_t idx = copies_after(copy->bytes) - 1;
	struct filecopy **slot = vec_at(&all.copies, idx);

	memmove(slot, slot + 1, (all.copies.len - 1 - idx) * sizeof(*slot));
	if (!--all.copies.len)
		vec_release(&all.copies);
}

struct filecopy *filecopy_new(int fd, const struct stat *st)
{
	struct filecopy *copy = calloc(1, sizeof(*copy));
	int err = copy ? install() : -ENOMEM;

	if (err)
		goto fail;
	copy->len = (size_t)st->st_size;
	copy->dev = st->st_dev;
	copy->ino = st->st_ino;
	copy->mtime = st->st_mtim;
	copy->piece_bytes = PIECE_BYTES;
	while (piece_cnt(copy) > PIECE_MAX)
		copy->piece_bytes *= 2;
	copy->have = calloc(piece_cnt(copy) / 8 + 1, 1);
	copy->bytes = copy->have ? map_nothing(mapped_bytes(copy)) : NULL;
	if (!copy->bytes) {
		err = -errno;
		goto fail;
	}
	err = list_copy(copy);
	if (err)
		goto fail;
	copy->fd = fd;
	return copy;
fail:
	close(fd);
	if (copy && copy->bytes)
		munmap(copy->bytes, mapped_bytes(copy));
	if (copy)
		free(copy->have);
	free(copy);
	errno = -err;
	return NULL;
}

void filecopy_free(struct filecopy *copy)
{
	if (!copy)
		return;
	unlist_copy(copy);
	all.read_bytes -= copy->read_bytes;
	munmap(copy->bytes, mapped_bytes(copy));
	close(copy->fd);
	free(copy->have);
	free(copy);
}

bool filecopy_is_of(const struct filecopy *copy, const struct stat *st)
{
	return copy->state == FILECOPY_GOOD && is_same(copy, st);
}
