/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Preloaded into loiter: asks the verifier how many instructions it went through for each program
 * that loiter loads, and adds a line "NAME\tCOUNT\n" to the file named by LOITER_INSNS; for one
 * that is refused "NAME\trefused: why\n". So what is counted is what is loaded, with the constants
 * and the choices that loiter makes on this kernel.
 *
 * libbpf makes system calls through syscall(3). The verifier's own log is used, since
 * bpf_prog_info.verified_insns is younger than the oldest kernel. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOG_BYTES (1u << 20)
#define LOG_STATS 4

typedef long syscall_fn(long number, ...);

static char log_text[LOG_BYTES];

/* libbpf's own programs, which ask for a feature, have no name or one of its own. */
static int is_libbpf_probe(const char *name)
{
	return !*name || !strncmp(name, "libbpf_", 7);
}

static void add_line(const char *name, const char *log, long fd, int code)
{
	const char *path = getenv("LOITER_INSNS");
	const char *found = strstr(log, "processed ");
	int file = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;

	if (file < 0)
		return;
	if (fd < 0)
		dprintf(file, "%s\trefused: %s\n", name, strerror(code));
	else if (found)
		dprintf(file, "%s\t%lu\n", name, strtoul(found + strlen("processed "), NULL, 10));
	else
		dprintf(file, "%s\tnot counted\n", name);
	close(file);
}

static long load(syscall_fn *next, const union bpf_attr *asked, size_t size)
{
	char name[BPF_OBJ_NAME_LEN + 1] = "";
	union bpf_attr attr = { 0 };
	long fd;
	int code;

	memcpy(&attr, asked, size < sizeof(attr) ? size : sizeof(attr));
	memcpy(name, attr.prog_name, BPF_OBJ_NAME_LEN);
	if (is_libbpf_probe(name))
		return next(SYS_bpf, BPF_PROG_LOAD, asked, size);
	if (!attr.log_level) {
		attr.log_buf = (uint64_t)(uintptr_t)log_text;
		attr.log_size = sizeof(log_text);
	}
	attr.log_level |= LOG_STATS;
	*(char *)(uintptr_t)attr.log_buf = '\0';
	fd = next(SYS_bpf, BPF_PROG_LOAD, &attr, size);
	code = errno;
	add_line(name, (const char *)(uintptr_t)attr.log_buf, fd, code);
	errno = code;
	return fd;
}

long syscall(long number, ...)
{
	static syscall_fn *next;
	va_list list;
	long arg[6];

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "syscall");
	va_start(list, number);
	for (int i = 0; i < 6; i++)
		arg[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_bpf && arg[0] == BPF_PROG_LOAD)
		return load(next, (const union bpf_attr *)arg[1], (size_t)arg[2]);
	return next(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}
