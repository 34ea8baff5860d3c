/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The functions that threads and processes are created through. By name they matter where libc is
 * linked statically; else its module tells. A container of threads creates them in templates, which
 * the program instantiates: of what stands inmost, all of the language's library is plumbing.
 */
#include "model/birth_funcs.h"

#include <stddef.h>
#include <string.h>

#include "model/func_name.h"
#include "model/wait.h"

#define NAME_BYTES 256

static const char *const entry_patterns[] = { "pthread_create*", "thrd_create", "fork",
					      "vfork",		 "_Fork",	"posix_spawn*",
					      "popen",		 "system",	NULL };

static const char *const plumbing_patterns[] = {
	"_Fork", "__spawn*",
	/* C++ */
	"std::*", "__gnu_cxx::*", "boost::thread::*", "QThread::start",
	/* Rust */
	"core::ops::*", "core::iter::*", "alloc::vec::*", "alloc::boxed::*",
	/* C */
	"g_thread_new*", "g_thread_try_new", "g_system_thread_new", "uv_thread_create*", NULL
};

static bool matches_any(const char *const *patterns, const char *func)
{
	char plain[NAME_BYTES];
	const char *base;

	func_name_plain(func, plain, sizeof(plain));
	base = func_name_base(plain);
	for (; *patterns; patterns++)
		if (func_name_matches(*patterns, plain, base))
			return true;
	return false;
}

bool birth_is_entry(const char *func)
{
	return func && matches_any(entry_patterns, func);
}

bool birth_is_plumbing(const char *func, const char *module)
{
	if (wait_is_runtime_frame(func, module) || birth_is_entry(func))
		return true;
	return func && matches_any(plumbing_patterns, func);
}
