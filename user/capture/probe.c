/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "capture/probe.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/caps.h"
#include "capture/capture.h"
#include "capture/futex_trace.h"
#include "capture/kernel_btf.h"

static const struct {
	unsigned int cap;
	const char *name;
	const char *used_by;
	bool required;
} caps[] = {
	{ CAP_BPF, "CAP_BPF", "loading BPF programs", true },
	{ CAP_PERFMON, "CAP_PERFMON", "reading threads' state in BPF", true },
	{ CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "reading stacks (nothing is ever traced)", true },
	{ CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", "files of other users' processes", false },
	{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "mapped files that were deleted or replaced", false },
	{ CAP_SYSLOG, "CAP_SYSLOG", "names of kernel functions", false },
};
#define CAP_CNT (sizeof(caps) / sizeof(caps[0]))

static bool cap_ok(size_t i)
{
	/* CAP_SYS_ADMIN stands for the two that were split from it in 5.8. */
	bool split = caps[i].cap == CAP_BPF || caps[i].cap == CAP_PERFMON;

	return caps_have(caps[i].cap) || (split && caps_have(CAP_SYS_ADMIN));
}

int probe_require(struct err *err)
{
	char missing[128] = "";
	size_t len = 0;

	for (size_t i = 0; i < CAP_CNT; i++)
		if (caps[i].required && !cap_ok(i))
			len += (size_t)snprintf(missing + len, sizeof(missing) - len, "%s%s",
						len ? ", " : "", caps[i].name);
	if (len)
		return err_set(err, -EPERM, "not permitted: needs %s; run with sudo", missing);
	return kernel_btf_require(err);
}

static void probe_btf(struct probe_result *ret)
{
	struct err err = { "" };
	struct utsname name;

	uname(&name);
	ret->ok = !kernel_btf_require(&err);
	if (ret->ok)
		snprintf(ret->detail, sizeof(ret->detail), "%.80s, kernel %.60s", kernel_btf_path(),
			 name.release);
	else
		snprintf(ret->detail, sizeof(ret->detail), "%.250s", err.msg);
}

/* The programs themselves are the probe: a kernel can have a feature and still refuse them. */
static struct capture *probe_capture(struct err *err)
{
	pid_t self = getpid();
	struct capture_options options = { .tgids = &self, .tgid_cnt = 1 };

	return capture_new(&options, err);
}

static void probe_iterator(struct probe_result *ret)
{
	struct err err = { "" };
	struct capture *capture = probe_capture(&err);

	ret->ok = capture != NULL;
	if (!ret->ok)
		snprintf(ret->detail, sizeof(ret->detail), "%.159s", err.msg);
	capture_free(capture);
}

static void probe_filter(struct probe_result *ret)
{
	struct capture *capture = probe_capture(NULL);

	ret->ok = capture && capture_can_read_thread(capture);
	if (!ret->ok)
		snprintf(ret->detail, sizeof(ret->detail),
			 "since Linux 6.1; without it busy threads are looked at less closely");
	capture_free(capture);
}

static void probe_clock(struct probe_result *ret)
{
	struct err err = { "" };
	struct capture *capture = probe_capture(&err);

	ret->ok = capture && !capture_sample_start(capture, &err);
	if (!ret->ok)
		snprintf(ret->detail, sizeof(ret->detail),
			 "%.80s; running threads are reported without a stack", err.msg);
	capture_free(capture);
}

static void probe_map_files(struct probe_result *ret)
{
	ret->ok = caps_have(CAP_SYS_ADMIN) || caps_have(CAP_CHECKPOINT_RESTORE);
	if (!ret->ok)
		snprintf(ret->detail, sizeof(ret->detail),
			 "needs CAP_CHECKPOINT_RESTORE; deleted files are read from memory");
}

static void probe_futexes(struct probe_result *ret)
{
	ret->ok = futex_trace_probe(ret->detail, sizeof(ret->detail));
	if (!ret->ok)
		snprintf(ret->detail, sizeof(ret->detail),
			 "no tracepoint sys_enter_futex; needs a kernel built with "
			 "CONFIG_FTRACE_SYSCALLS=y; run with sudo");
}

static void probe_kallsyms(struct probe_result *ret)
{
	char line[256];
	FILE *file = fopen("/proc/kallsyms", "re");

	/* The first ones lie at address 0, and a few more low: those of each CPU's own data. */
	while (file && !ret->ok && fgets(line, sizeof(line), file))
		ret->ok = strncmp(line, "0000000000000000 ", 17) != 0;
	if (file)
		fclose(file);
	if (!ret->ok)
		snprintf(ret->detail, sizeof(ret->detail),
			 "kernel frames (-k) have no names; needs CAP_SYSLOG, or "
			 "kernel.kptr_restrict=0");
}

static const struct {
	const char *name;
	const char *used_by;
	bool required;
	void (*probe)(struct probe_result *);
} features[] = {
	{ "kernel BTF", "every command", true, probe_btf },
	{ "BPF task iterator", "dump", true, probe_iterator },
	{ "iterator of one thread", "threads that run often", false, probe_filter },
	{ "CPU clock", "stacks of running threads", false, probe_clock },
	{ "futex tracepoints", "record --by futex", false, probe_futexes },
	{ "/proc/PID/map_files", "symbols of deleted files", false, probe_map_files },
	{ "/proc/kallsyms", "names of kernel functions", false, probe_kallsyms },
};

size_t probe_all(struct probe_result *ret, size_t cap)
{
	size_t cnt = 0;

	for (size_t i = 0; i < CAP_CNT && cnt < cap; i++, cnt++) {
		ret[cnt] = (struct probe_result){ .name = caps[i].name,
						  .used_by = caps[i].used_by,
						  .required = caps[i].required,
						  .ok = cap_ok(i) };
		if (!ret[cnt].ok)
			snprintf(ret[cnt].detail, sizeof(ret[cnt].detail), "run with sudo");
	}
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]) && cnt < cap; i++, cnt++) {
		ret[cnt] = (struct probe_result){ .name = features[i].name,
						  .used_by = features[i].used_by,
						  .required = features[i].required };
		features[i].probe(&ret[cnt]);
	}
	return cnt;
}
