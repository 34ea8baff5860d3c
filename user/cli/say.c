/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "cli/say.h"

#include <stdarg.h>
#include <stdio.h>

void say_error(const char *fmt, ...)
{
	va_list args;

	fputs("loiter: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}
