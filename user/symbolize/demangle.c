/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "symbolize/demangle.h"

#include <setjmp.h>
#include <stdbool.h>
#include <string.h>

#include <libiberty/demangle.h>

#define MANGLED_MAX_BYTES 4096

/* Where the demangler's output goes. A short mangled name can stand for an output of any length
 * (it may refer to its own parts), so the demangler is left by a jump as soon as the text is full.
 * It holds no resources then but, for Rust's punycode, one small allocation. */
struct sink {
	char *text;
	size_t len;
	size_t cap; /* of the text without its NUL */
	jmp_buf full;
};

static void sink_put(const char *piece, size_t len, void *opaque)
{
	struct sink *sink = opaque;
	size_t room = sink->cap - sink->len;
	size_t take = len < room ? len : room;

	memcpy(sink->text + sink->len, piece, take);
	sink->len += take;
	if (take < len)
		longjmp(sink->full, 1);
}

typedef int (*demangle_fn)(const char *, int, demangle_callbackref, void *);

/* Returns whether @fn knows the name: then it is in the sink, perhaps cut (*@ret_cut). */
static bool sink_demangle(struct sink *sink, demangle_fn fn, const char *mangled, bool *ret_cut)
{
	sink->len = 0;
	*ret_cut = false;
	if (setjmp(sink->full)) {
		*ret_cut = true;
		return true;
	}
	return fn(mangled, DMGL_ANSI, sink_put, sink) && sink->len;
}

/* Ends @text at @len, with control characters made harmless and a cut marked. */
static size_t text_end(char *text, size_t len, bool cut)
{
	text[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
	if (cut)
		memcpy(text + len - 3, "...", 3);
	return len;
}

static size_t text_copy(const char *raw, size_t raw_len, char *text, size_t len)
{
	bool cut = raw_len > len - 1;

	if (cut)
		raw_len = len - 1;
	memcpy(text, raw, raw_len);
	return text_end(text, raw_len, cut);
}

size_t demangle(const char *raw, char *text, size_t len)
{
	size_t raw_len = strnlen(raw, MANGLED_MAX_BYTES);
	const char *version = memchr(raw, '@', raw_len);
	char mangled[MANGLED_MAX_BYTES];
	struct sink sink = { .text = text, .cap = len - 1 };
	bool cut;

	if (version && version != raw)
		raw_len = (size_t)(version - raw);
	if (raw_len < sizeof(mangled) && raw[0] == '_' && (raw[1] == 'Z' || raw[1] == 'R')) {
		memcpy(mangled, raw, raw_len);
		mangled[raw_len] = '\0';
		/* Rust's first: its older names are valid C++ ones. */
		if (sink_demangle(&sink, rust_demangle_callback, mangled, &cut) ||
		    sink_demangle(&sink, cplus_demangle_v3_callback, mangled, &cut))
			return text_end(text, sink.len, cut);
	}
	return text_copy(raw, raw_len, text, len);
}

size_t demangle_plain(const char *raw, char *text, size_t len)
{
	return text_copy(raw, strnlen(raw, len), text, len);
}
