/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "capture/libbpf_log.h"

#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

#include "capture/kernel_btf.h"

static char first_warning[256];

static int keep_warning(enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (level != LIBBPF_WARN || first_warning[0])
		return 0;
	vsnprintf(first_warning, sizeof(first_warning), fmt, args);
	first_warning[strcspn(first_warning, "\n")] = '\0';
	return 0;
}

void libbpf_log_start(void)
{
	first_warning[0] = '\0';
	libbpf_set_print(keep_warning);
}

int libbpf_log_error(struct err *err, int code, const char *what)
{
	return err_set(err, code, "cannot %s: %s (%s)%s; see 'loiter check'", what, strerror(-code),
		       first_warning[0] ? first_warning : "no details from libbpf",
		       kernel_btf_doubt());
}
