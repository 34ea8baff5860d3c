/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* libbpf reports through one global callback; here its first warning is kept for the error message
 * that the caller makes of it. */
#ifndef CAPTURE_LIBBPF_LOG_H
#define CAPTURE_LIBBPF_LOG_H

#include "base/err.h"

/* Keeps the next warning instead of printing it. */
void libbpf_log_start(void);

/* Sets @err to "cannot WHAT: CODE (what libbpf said); see 'loiter check'". Returns @code. */
int libbpf_log_error(struct err *err, int code, const char *what);

#endif
