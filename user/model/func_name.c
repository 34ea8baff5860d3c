/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "model/func_name.h"

#include <ctype.h>
#include <string.h>

struct out {
	char *text;
	size_t len;
	size_t cap; /* without the NUL */
};

static void out_put(struct out *out, const char *text, size_t len)
{
	if (len > out->cap - out->len)
		len = out->cap - out->len;
	memcpy(out->text + out->len, text, len);
	out->len += len;
}

static bool out_ends_with(const struct out *out, const char *end)
{
	size_t len = strlen(end);

	return out->len >= len && !memcmp(out->text + out->len - len, end, len);
}

static bool starts_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

static bool is_ident(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$';
}

/* Returns the length of a path component at @text that only versions a library, with its "::". */
static size_t inline_namespace_len(const char *text)
{
	static const char *const names[] = { "__1::", "__ndk1::", "__cxx11::", "_V2::" };
	const char *end;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (starts_with(text, names[i]))
			return strlen(names[i]);
	if (!starts_with(text, "lts_"))
		return 0;
	for (end = text + 4; isdigit((unsigned char)*end);)
		end++;
	return starts_with(end, "::") ? (size_t)(end - text) + 2 : 0;
}

/* Whether the '.' at @text begins what a compiler appends to the name of a function's part. */
static bool is_compiler_suffix(const char *text)
{
	static const char *const names[] = { ".constprop", ".part", ".isra",	".cold",
					     ".llvm",	   ".abi0", ".lto_priv" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (starts_with(text, names[i]) && !is_ident(text[strlen(names[i])]))
			return true;
	return false;
}

/* Returns what stands behind the bracket that closes the one at @text, or the text's end. */
static const char *skip_group(const char *text)
{
	char open = *text, close = open == '<' ? '>' : ']';
	int depth = 0;

	for (; *text; text++) {
		if (*text == open)
			depth++;
		else if (*text == close && text[-1] != '-' && !--depth)
			return text + 1;
	}
	return text;
}

/* Returns the ">" that ends the part " as Trait" of Rust's "<Type as Trait>". */
static const char *skip_trait(const char *text)
{
	while (*text && *text != '>')
		text = *text == '<' || *text == '[' ? skip_group(text) : text + 1;
	return text;
}

static void plain_from_demangled(const char *name, struct out *out)
{
	const char *c = name;
	int self_type_depth = 0; /* inside the brackets of Rust's "<Type>::method" */

	while (*c) {
		if (*c == '<' && !out->len) {
			self_type_depth++;
			c++;
		} else if (*c == '<' || *c == '[') {
			if (*c == '<' && out_ends_with(out, "::"))
				out->len -= 2;
			c = skip_group(c);
		} else if (*c == '>' && self_type_depth) {
			self_type_depth--;
			c++;
		} else if (*c == ' ' && self_type_depth && starts_with(c, " as ")) {
			c = skip_trait(c);
		} else if (*c == ' ' && c[1] == '[') {
			break;
		} else if (*c == ' ') {
			out->len = 0; /* it was a return type */
			c++;
		} else if (*c == '(' && c > name && (is_ident(c[-1]) || strchr(">]}", c[-1]))) {
			break;
		} else if (*c == '(') { /* "(anonymous namespace)", Go's "(*Type)" */
			size_t len = strcspn(c, ")");

			len += c[len] == ')';
			out_put(out, c, len);
			c += len;
		} else if (*c == '@' || (*c == '.' && c > name && is_compiler_suffix(c))) {
			break;
		} else if (starts_with(c, "operator") && !is_ident(c[8]) &&
			   (c == name || !is_ident(c[-1]))) {
			out_put(out, c, 8);
			break;
		} else {
			out_put(out, c, 1);
			c++;
			if (out_ends_with(out, "::"))
				c += inline_namespace_len(c);
		}
	}
}

/* Appends the identifier that @text spells as its length and its letters, as a path component.
 * Returns what stands behind it, or NULL when there is no such identifier. */
static const char *put_mangled_ident(const char *text, bool v0, struct out *out)
{
	size_t len = 0;

	for (; isdigit((unsigned char)*text) && len < 10000; text++)
		len = len * 10 + (size_t)(*text - '0');
	if (v0 && *text == '_')
		text++; /* parts the length from a name that starts with '_' or a digit */
	if (!len || strnlen(text, len + 1) < len)
		return NULL;
	if (out->len)
		out_put(out, "::", 2);
	out_put(out, text, len);
	return text + len;
}

/* The nested name of an Itanium mangling (C++, Rust until v0), as far as it has no templates. */
static void plain_from_itanium(const char *name, struct out *out)
{
	const char *c = name + 2;

	if (*c == 'N')
		c++;
	while (*c == 'K' || *c == 'V' || *c == 'r' || *c == 'R' || *c == 'O')
		c++;
	if (starts_with(c, "St")) {
		out_put(out, "std", 3);
		c += 2;
	}
	while (c && isdigit((unsigned char)*c))
		c = put_mangled_ident(c, false, out);
}

/* The identifiers of a Rust v0 mangling: its back references and generics name no component. */
static void plain_from_rust_v0(const char *name, struct out *out)
{
	const char *c = name + 2;

	while (c && *c && *c != '.') {
		if (*c == 'N' && isalpha((unsigned char)c[1])) {
			c += 2;
		} else if (*c == 's' || *c == 'B') { /* disambiguator, back reference: base 62 */
			c = strchr(c, '_');
			if (c)
				c++;
		} else if (isdigit((unsigned char)*c)) {
			c = put_mangled_ident(c, true, out);
		} else if (strchr("CMXYI", *c)) {
			c++;
		} else {
			return;
		}
	}
}

void func_name_plain(const char *name, char *ret, size_t ret_bytes)
{
	struct out out = { .text = ret, .cap = ret_bytes - 1 };

	if (starts_with(name, "_ZN") || starts_with(name, "_ZSt"))
		plain_from_itanium(name, &out);
	else if (starts_with(name, "_R") && (name[2] == 'N' || name[2] == 'I'))
		plain_from_rust_v0(name, &out);
	if (!out.len)
		plain_from_demangled(name, &out);
	/* Rust's legacy hash: "::h" and 16 hex digits. */
	if (out.len > 19 && !memcmp(ret + out.len - 19, "::h", 3)) {
		size_t digits = 0;

		while (digits < 16 && isxdigit((unsigned char)ret[out.len - 16 + digits]))
			digits++;
		if (digits == 16)
			out.len -= 19;
	}
	ret[out.len] = '\0';
}

const char *func_name_base(const char *plain)
{
	static const char *const marks[] = { "GI_", "interceptor_" };

	if (strstr(plain, "::") || strchr(plain, '.'))
		return plain;
	plain += strspn(plain, "_");
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (starts_with(plain, marks[i]))
			plain += strlen(marks[i]);
	return plain + strspn(plain, "_");
}

bool func_name_pattern_matches(const char *pattern, const char *text)
{
	while (*pattern && *pattern == *text) {
		pattern++;
		text++;
	}
	return *pattern == '*' || (!*pattern && !*text);
}

bool func_name_matches(const char *pattern, const char *plain, const char *base)
{
	return func_name_pattern_matches(pattern, *pattern == '_' ? plain : base);
}
