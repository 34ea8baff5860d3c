/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * An error's code and its message. Library code fills one and returns; only cli/ prints it.
 *
 * The message is lower case, has no full stop, quotes its subject, and ends with the cause and,
 * where there is one, the remedy:  cannot read '/proc/12/maps': No such process
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

struct err {
	char msg[512];
};

/* Fills @err (which may be NULL) with the formatted message.
 * Returns @code, a negative errno, so that a caller can write  return err_set(err, -ESRCH, ...). */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set, with ": " and the text of errno @code appended. */
int err_set_errno(struct err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
