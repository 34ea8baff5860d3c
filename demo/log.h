/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The server's log: one dated line a message, on standard error, each written at once. */
#ifndef DEMO_LOG_H
#define DEMO_LOG_H

#include <stdint.h>

#define LOG_DURATION_BYTES 40

void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* As log_line, with ": " and the text of errno @code appended. */
void log_error(int code, const char *what);

/* Writes @duration_ns into @ret_text as Go prints it: 282.63µs, 5.000124s, 1m2.5s. */
void log_format_duration(uint64_t duration_ns, char ret_text[LOG_DURATION_BYTES]);

#endif
