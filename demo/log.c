/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void log_line(const char *fmt, ...)
{
	char message[512];
	char date[32];
	struct tm tm;
	time_t now = time(NULL);
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	localtime_r(&now, &tm);
	strftime(date, sizeof(date), "%Y/%m/%d %H:%M:%S", &tm);
	/* stderr is unbuffered and locked for the call: lines of two threads do not mix. */
	fprintf(stderr, "%s %s\n", date, message);
}

void log_error(int code, const char *what)
{
	log_line("%s: %s", what, strerrordesc_np(code));
}

/* Prints @value / @unit with as many decimals as it has, at most those of @digits. */
static void format_fraction(char *text, size_t size, uint64_t value, uint64_t unit, int digits,
			    const char *suffix)
{
	uint64_t whole = value / unit;
	uint64_t rest = value % unit;

	while (digits > 0 && rest % 10 == 0) {
		rest /= 10;
		digits--;
	}
	if (digits == 0)
		snprintf(text, size, "%llu%s", (unsigned long long)whole, suffix);
	else
		snprintf(text, size, "%llu.%0*llu%s", (unsigned long long)whole, digits,
			 (unsigned long long)rest, suffix);
}

void log_format_duration(uint64_t duration_ns, char ret_text[LOG_DURATION_BYTES])
{
	const uint64_t us = 1000, ms = 1000 * us, second = 1000 * ms;
	const uint64_t minute = 60 * second, hour = 60 * minute;
	size_t used = 0;

	if (duration_ns < second) {
		if (duration_ns < us)
			snprintf(ret_text, LOG_DURATION_BYTES, "%uns", (unsigned int)duration_ns);
		else if (duration_ns < ms)
			format_fraction(ret_text, LOG_DURATION_BYTES, duration_ns, us, 3, "µs");
		else
			format_fraction(ret_text, LOG_DURATION_BYTES, duration_ns, ms, 6, "ms");
		return;
	}
	if (duration_ns >= hour)
		used += (size_t)snprintf(ret_text, LOG_DURATION_BYTES, "%lluh",
					 (unsigned long long)(duration_ns / hour));
	if (duration_ns >= minute)
		used += (size_t)snprintf(ret_text + used, LOG_DURATION_BYTES - used, "%llum",
					 (unsigned long long)(duration_ns % hour / minute));
	format_fraction(ret_text + used, LOG_DURATION_BYTES - used, duration_ns % minute, second, 9,
			"s");
}
