/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What the commands say on standard error, and how they end. */
#ifndef CLI_SAY_H
#define CLI_SAY_H

/* Exit statuses. */
enum status {
	STATUS_DONE = 0,
	STATUS_FAILED = 1, /* could not */
	STATUS_USAGE = 2,
	STATUS_FOUND = 3, /* done, and found what --exit-code asks about */
};

/* Prints "loiter: MESSAGE". */
void say_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
