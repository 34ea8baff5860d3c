/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "capture/libbpf_log.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

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

/* Until 5.11 maps count as locked memory, of which others than root may have little: d5299b67dd59
 * ("bpf: Memcg-based memory accounting for bpf maps"). */
static const char *memory_doubt(int code)
{
	struct rlimit limit;

	if (code != -EPERM || getrlimit(RLIMIT_MEMLOCK, &limit) ||
	    limit.rlim_cur == RLIM_INFINITY || !kernel_btf_has_member("bpf_map", "memory"))
		return "";
	return "; this kernel needs CAP_SYS_RESOURCE as well, or 'ulimit -l unlimited'";
}

int libbpf_log_error(struct err *err, int code, const char *what)
{
	return err_set(err, code, "cannot %s: %s (%s)%s%s; see 'loiter check'", what,
		       strerror(-code), first_warning[0] ? first_warning : "no details from libbpf",
		       kernel_btf_doubt(), memory_doubt(code));
}
