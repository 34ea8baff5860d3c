/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Names as they are shown, hostile ones among them. */
#include "unit.h"

#include <string.h>

#include "base/buf.h"
#include "symbolize/demangle.h"

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

static void test_names_are_demangled(void **state)
{
	static const struct {
		const char *raw, *shown;
	} names[] = {
		{ "main", "main" },
		{ "", "" },
		{ "_", "_" },
		{ "_Z", "_Z" },
		{ "_R", "_R" },
		{ "_Znonsense", "_Znonsense" },
		{ "foo.part.0", "foo.part.0" },
		{ "foo.cold", "foo.cold" },
		{ "foo.isra.0.constprop.1", "foo.isra.0.constprop.1" },
		{ "pthread_cond_wait@@GLIBC_2.3.2", "pthread_cond_wait" },
		{ "memcpy@GLIBC_2.2.5", "memcpy" },
		{ "@odd", "@odd" },
		{ "_ZN2ns5Class6methodEi", "ns::Class::method" },
		{ "_ZNK2ns5ClassIiE6methodEv@@VERS_1", "ns::Class<int>::method" },
		{ "_Z3fooIiEvT_", "foo<int>" },
		{ "_ZN12_GLOBAL__N_13fooEv", "(anonymous namespace)::foo" },
		{ "_ZZ4mainENKUlvE_clEv", "main::{lambda()#1}::operator()" },
		{ "_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE",
		  "std::condition_variable::wait" },
		{ "_ZN3FooC4Ev", "Foo::Foo" },
		{ "_ZN3FooD0Ev", "Foo::~Foo" },
		{ "_ZL5g_mtx", "g_mtx" },
		{ "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad" },
		{ "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE.llvm.123",
		  "core::fmt::Formatter::pad" },
		{ "_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar" },
		{ "_RNvNtCs1234_7mycrate3foo3bar.llvm.1234", "mycrate::foo::bar" },
		{ "_RINvNtC3std3mem8align_ofNtNtC3std3mem12DiscriminantE",
		  "std::mem::align_of::<std::mem::Discriminant>" },
		{ "red\033[31m\n", "red?[31m?" },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(demangle(names[i].raw, text, sizeof(text)),
				 strlen(names[i].shown));
		assert_string_equal(text, names[i].shown);
	}
}

static void test_long_names_are_cut(void **state)
{
	char raw[20000], text[DEMANGLE_TEXT_BYTES];

	(void)state;
	memset(raw, 'x', sizeof(raw));
	raw[sizeof(raw) - 1] = '\0';
	assert_int_equal(demangle(raw, text, sizeof(text)), sizeof(text) - 1);
	assert_string_equal(text + sizeof(text) - 5, "x...");
	raw[0] = '_';
	raw[1] = 'Z';
	demangle(raw, text, sizeof(text));
	assert_memory_equal(text, "_Zxx", 4);
	assert_int_equal(demangle_plain(raw, text, 8), 7);
	assert_string_equal(text, "_Zxx...");

	/* Nested too deep for a demangler that recurses: shown as it is. */
	memset(raw, 'P', 3000);
	memcpy(raw, "_Z1fI", 5);
	memcpy(raw + 3000, "iEvv", sizeof("iEvv"));
	assert_int_equal(demangle(raw, text, sizeof(text)), strlen(raw));
	assert_string_equal(text, raw);
}

/* The type of a C++ name may refer to its own parts, so that its text doubles with each. */
static void test_exploding_names_are_cut(void **state)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	struct buf raw;
	char text[256];

	(void)state;
	buf_init(&raw, 4096);
	/* S_ is a, S0_ is b, S1_ is b<int, int>, and each new one is the next. */
	buf_puts(&raw, "_ZN1aI1bIiiE");
	for (int i = 1; i < 30; i++)
		buf_printf(&raw, "S0_IS%c_S%c_E", digits[i], digits[i]);
	assert_int_equal(buf_puts(&raw, "E1fEv"), 0);
	assert_int_equal(demangle(buf_text(&raw), text, sizeof(text)), sizeof(text) - 1);
	assert_memory_equal(text, "a<b<int, int>, b<b<int, int>, b<int, int> >, ", 45);
	assert_string_equal(text + sizeof(text) - 4, "...");
	buf_release(&raw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_demangled),
		cmocka_unit_test(test_long_names_are_cut),
		cmocka_unit_test(test_exploding_names_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
