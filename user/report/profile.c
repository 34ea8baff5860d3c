/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "report/profile.h"

#include <errno.h>
#include <string.h>

#define PIECE_MAX_BYTES (256u << 20)
#define FUNCTION_MAX (8u << 20)
#define GZIP_WINDOW_BITS (15 + 16) /* zlib's largest window, in gzip's wrapping */
#define CHUNK_BYTES 16384

/* Gives zlib what profile->gzip holds as its input, and writes what comes out. */
static void profile_deflate(struct profile *profile, int flush)
{
	unsigned char chunk[CHUNK_BYTES];
	int status;

	do {
		profile->gzip.next_out = chunk;
		profile->gzip.avail_out = sizeof(chunk);
		status = deflate(&profile->gzip, flush);
		fwrite(chunk, 1, sizeof(chunk) - profile->gzip.avail_out, profile->out);
	} while (status == Z_OK && !profile->gzip.avail_out);
}

void profile_put(struct profile *profile, const Pprof__Profile *message)
{
	size_t len = pprof__profile__get_packed_size(message);
	struct buf *piece = &profile->piece;

	buf_clear(piece);
	if (!profile->err)
		profile->err = buf_reserve(piece, len);
	if (profile->err)
		return;
	pprof__profile__pack(message, (uint8_t *)piece->data);
	profile->gzip.next_in = (uint8_t *)piece->data;
	profile->gzip.avail_in = (uInt)len;
	profile_deflate(profile, Z_NO_FLUSH);
}

static void put_text(struct profile *profile, const char *text)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	char *texts[] = { (char *)text };

	piece.n_string_table = 1;
	piece.string_table = texts;
	profile_put(profile, &piece);
}

int profile_begin(struct profile *profile, FILE *out)
{
	*profile = (struct profile){ .out = out };
	buf_init(&profile->piece, PIECE_MAX_BYTES);
	strpool_init(&profile->texts);
	table_init(&profile->functions, FUNCTION_MAX);
	if (deflateInit2(&profile->gzip, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS,
			 MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		profile->err = -ENOMEM;
	put_text(profile, "");
	return profile->err;
}

int profile_end(struct profile *profile)
{
	if (!profile->err) {
		profile->gzip.avail_in = 0;
		profile_deflate(profile, Z_FINISH);
	}
	deflateEnd(&profile->gzip);
	buf_release(&profile->piece);
	strpool_release(&profile->texts);
	table_release(&profile->functions);
	return profile->err;
}

int64_t profile_text(struct profile *profile, const char *text)
{
	uint32_t before = profile->texts.offs.len;
	uint32_t id = strpool_add(&profile->texts, text);

	if (id > before)
		put_text(profile, text);
	return id;
}

/* Returns the system name of the function @full, which is shown as @name. pprof takes one that
 * equals the name for a C++ name, and cuts it at every '<' and '(': of Rust's <u8 as Show>::show it
 * leaves ::show. */
static int64_t system_name(const struct profile *profile, int64_t name, int64_t full)
{
	return name == full && strpbrk(strpool_get(&profile->texts, (uint32_t)name), "<(") ? 0
											   : full;
}

uint64_t profile_function(struct profile *profile, int64_t name, int64_t full, int64_t file)
{
	Pprof__Function function = PPROF__FUNCTION__INIT, *functions[] = { &function };
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	/* Both are 32 bits wide: no two pairs have one key. */
	uint64_t key = (uint64_t)full << 32 | (uint64_t)file;
	uint32_t id = 0;

	if (table_find(&profile->functions, key, &id))
		return id;
	id = profile->functions.len + 1;
	if (!profile->err)
		profile->err = table_put(&profile->functions, key, id);
	function.id = id;
	function.name = name;
	function.system_name = system_name(profile, name, full);
	function.filename = file;
	piece.n_function = 1;
	piece.function = functions;
	profile_put(profile, &piece);
	return id;
}
