/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "capture/probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/caps.h"
#include "base/cleanup.h"
#include "capture/capture.h"
#include "capture/futex_trace.h"
#include "capture/kernel_btf.h"
#include "capture/recorder.h"

#define MAP_FILES_PATH "/proc/self/map_files"
#define PIDNS_INITIAL_INODE 0xEFFFFFFCu /* PROC_PID_INIT_INO of the kernel */

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

/* The programs themselves are the probe: a kernel can have a feature and still refuse them. Loading
 * them is what takes the time, so each set is loaded once and every probe asks of it. */
struct probe_trial {
	struct capture *capture;   /* NULL: refused, for .capture_err */
	struct recorder *recorder; /* likewise */
	struct err capture_err, recorder_err;
	struct err clock_err; /* why .recorder has no CPU clock */
	bool has_clock;
};

static struct recorder *trial_recorder(struct recorder_options options, struct err *err)
{
	pid_t self = getpid();

	options.tgids = &self;
	options.tgid_cnt = 1;
	return recorder_new(&options, err);
}

/* Loads and attaches what dumps have, and all that recordings and leaks have but for the futex
 * calls, which have a probe of their own. The CPU clock is for some reports only. */
static void trial_begin(struct probe_trial *ret)
{
	struct recorder_options options = { .wakers = true, .deaths = true, .sample_hz = 1 };
	pid_t self = getpid();
	struct capture_options dump = { .tgids = &self, .tgid_cnt = 1 };

	*ret = (struct probe_trial){ .capture = NULL };
	ret->capture = capture_new(&dump, &ret->capture_err);
	ret->recorder = trial_recorder(options, &ret->clock_err);
	ret->has_clock = ret->recorder != NULL;
	if (ret->has_clock)
		return;
	options.sample_hz = 0;
	ret->recorder = trial_recorder(options, &ret->recorder_err);
}

static void trial_end(struct probe_trial *trial)
{
	recorder_free(trial->recorder);
	capture_free(trial->capture);
}

static void judge_iterator(const struct probe_trial *trial, struct probe_result *ret)
{
	ret->ok = trial->capture != NULL;
	if (!ret->ok)
		snprintf(ret->detail, sizeof(ret->detail), "%.159s", trial->capture_err.msg);
}

static void judge_filter(const struct probe_trial *trial, struct probe_result *ret)
{
	ret->ok = trial->capture && capture_can_read_thread(trial->capture);
}

static void judge_clock(const struct probe_trial *trial, struct probe_result *ret)
{
	struct err err = trial->capture_err;

	ret->ok = trial->capture && !capture_sample_start(trial->capture, &err);
	if (!ret->ok)
		snprintf(ret->detail, sizeof(ret->detail), "%.200s", err.msg);
}

static void judge_record(const struct probe_trial *trial, struct probe_result *ret)
{
	ret->ok = trial->recorder != NULL;
	if (!ret->ok)
		snprintf(ret->detail, sizeof(ret->detail), "%.180s", trial->recorder_err.msg);
	else if (!trial->has_clock)
		snprintf(ret->detail, sizeof(ret->detail),
			 "but for record --by on-cpu and wall: %.180s", trial->clock_err.msg);
}

bool probe_pidns_is_initial(void)
{
	struct stat st;

	return !stat("/proc/self/ns/pid", &st) && st.st_ino == PIDNS_INITIAL_INODE;
}

static void probe_pidns(struct probe_result *ret)
{
	ret->ok = probe_pidns_is_initial();
	if (!ret->ok)
		snprintf(
			ret->detail, sizeof(ret->detail),
			"run loiter on the host, or in a container that has the host's (--pid=host)");
}

static void probe_current_task(struct probe_result *ret)
{
	ret->ok = kernel_btf_has_helper("BPF_FUNC_get_current_task_btf");
}

static void probe_task_regs(struct probe_result *ret)
{
	ret->ok = kernel_btf_has_helper("BPF_FUNC_task_pt_regs");
}

static void probe_find_vma(struct probe_result *ret)
{
	ret->ok = kernel_btf_has_helper("BPF_FUNC_find_vma");
}

static void judge_new_code(const struct probe_trial *trial, struct probe_result *ret)
{
	ret->ok = trial->recorder && recorder_sees_new_code(trial->recorder);
	if (!ret->ok && kernel_btf_is_rt())
		snprintf(ret->detail, sizeof(ret->detail), "not with PREEMPT_RT");
	else if (trial->recorder && !ret->ok)
		snprintf(ret->detail, sizeof(ret->detail),
			 "the kernel refuses the programs for it");
}

static void probe_rings(struct probe_result *ret)
{
	ret->ok = kernel_btf_ring_is_safe();
}

/* Returns 0 when one of the files that this process has mapped can be opened, or -errno. */
static int open_map_file(void)
{
	_cleanup_closedir_ DIR *dir = opendir(MAP_FILES_PATH);
	int err = dir ? -ENOENT : -errno;
	struct dirent *entry;

	while (err && dir && (entry = readdir(dir))) {
		_cleanup_close_ int fd = -1;

		if (entry->d_name[0] == '.')
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		err = fd < 0 ? -errno : 0;
	}
	return err;
}

static void probe_map_files(struct probe_result *ret)
{
	int err = open_map_file();

	/* A program that has its capabilities by its file does not own what is in its /proc/self.
	 * Of others of its user it does. */
	if (err == -EACCES)
		err = caps_have(CAP_SYS_ADMIN) || caps_have(CAP_CHECKPOINT_RESTORE) ? 0 : -EPERM;
	ret->ok = !err;
	if (err == -EPERM)
		snprintf(ret->detail, sizeof(ret->detail), "needs CAP_CHECKPOINT_RESTORE");
	else if (err)
		snprintf(ret->detail, sizeof(ret->detail), "%s: %s", MAP_FILES_PATH,
			 strerror(-err));
}

static void probe_futexes(struct probe_result *ret)
{
	struct recorder_options options = { .futexes = true };
	struct recorder *recorder;
	struct err err = { "" };

	if (futex_trace_probe(ret->detail, sizeof(ret->detail)) == -ENOENT) {
		snprintf(ret->detail, sizeof(ret->detail),
			 "no tracepoint sys_enter_futex; needs a kernel built with "
			 "CONFIG_FTRACE_SYSCALLS=y");
		return;
	}
	/* Where we may not look for them, the recorder says what we lack. */
	recorder = trial_recorder(options, &err);
	ret->ok = recorder != NULL;
	if (!ret->ok)
		snprintf(ret->detail, sizeof(ret->detail), "%.200s", err.msg);
	recorder_free(recorder);
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
			 "needs CAP_SYSLOG, or kernel.kptr_restrict=0");
}

static const struct probe_feature features[] = {
	{ .name = "kernel BTF",
	  .used_by = "every command",
	  .since = "5.4",
	  .commit = "341dfcf8d78e",
	  .without = "nothing works",
	  .required = true,
	  .probe = probe_btf },
	{ .name = "BPF task iterator",
	  .used_by = "dump, record and leaks",
	  .since = "5.8",
	  .commit = "eaaacd23910f",
	  .without = "nothing works",
	  .required = true,
	  .judge = judge_iterator },
	{ .name = "iterator of one thread",
	  .used_by = "threads that run often",
	  .since = "6.1",
	  .commit = "f0d74c4da1f0",
	  .without = "busy threads are looked at less closely",
	  .judge = judge_filter },
	{ .name = "CPU clock",
	  .used_by = "stacks of running threads",
	  .since = "4.9",
	  .commit = "0515e5999a46",
	  .without = "running threads are reported without a stack",
	  .judge = judge_clock },
	{ .name = PROBE_RECORD,
	  .used_by = "record and leaks",
	  .since = "5.8",
	  .commit = "457f44363a88",
	  .without = "record and leaks do not work",
	  .judge = judge_record },
	{ .name = PROBE_PIDNS,
	  .used_by = "record and leaks",
	  .since = "2.6",
	  .without = "record and leaks do not work",
	  .probe = probe_pidns },
	{ .name = "trusted current task",
	  .used_by = "dump, record and leaks",
	  .since = "5.11",
	  .commit = "3ca1032ab7ab",
	  .without = "nothing is lost: it is read as any memory",
	  .probe = probe_current_task },
	{ .name = "registers of a task",
	  .used_by = "dump, record and leaks",
	  .since = "5.15",
	  .commit = "dd6e10fbd9fb",
	  .without = "nothing is lost: they are at the top of a kernel stack of 16 KiB",
	  .probe = probe_task_regs },
	{ .name = "mapping of an address",
	  .used_by = "record and leaks, for code that changes",
	  .since = "5.17",
	  .commit = "7c7e3d31e785",
	  .without = "nothing is lost before 6.1: it is looked for in the kernel's tree",
	  .probe = probe_find_vma },
	{ .name = "new code at an old address",
	  .used_by = "record and leaks",
	  .since = "2.6",
	  .without = "libraries of one size can replace each other unnoticed",
	  .judge = judge_new_code },
	{ .name = "ring buffers for PREEMPT_RT",
	  .used_by = "record, leaks, and the CPU clock",
	  .since = "6.12",
	  .commit = "8b62645b09f8",
	  .without = "with PREEMPT_RT, no record, no leaks, and running threads have no stack",
	  .probe = probe_rings },
	{ .name = "futex tracepoints",
	  .used_by = "record --by futex",
	  .since = "4.14",
	  .commit = "cf5f5cea2706",
	  .without = "record --by futex does not work",
	  .probe = probe_futexes },
	{ .name = "/proc/PID/map_files",
	  .used_by = "symbols of deleted files",
	  .since = "5.9",
	  .commit = "12886f8ab10c",
	  .without = "such files are read from memory",
	  .probe = probe_map_files },
	{ .name = "/proc/kallsyms",
	  .used_by = "names of kernel functions",
	  .since = "2.6",
	  .without = "kernel frames (-k) have no names",
	  .probe = probe_kallsyms },
};
#define FEATURE_CNT (sizeof(features) / sizeof(features[0]))

const struct probe_feature *probe_features(size_t *ret_cnt)
{
	*ret_cnt = FEATURE_CNT;
	return features;
}

/* Adds to what a probe found out what it means, as far as there is room. */
static void say_what_is_lost(const struct probe_feature *feature, struct probe_result *result)
{
	size_t len = strlen(result->detail);

	snprintf(result->detail + len, sizeof(result->detail) - len, "%s%s (Linux %s)",
		 len ? "; " : "", feature->without, feature->since);
}

size_t probe_all(struct probe_result *ret, size_t cap)
{
	struct probe_trial trial;
	size_t cnt = 0;

	trial_begin(&trial);
	for (size_t i = 0; i < CAP_CNT && cnt < cap; i++, cnt++) {
		ret[cnt] = (struct probe_result){ .name = caps[i].name,
						  .used_by = caps[i].used_by,
						  .required = caps[i].required,
						  .ok = cap_ok(i) };
		if (!ret[cnt].ok)
			snprintf(ret[cnt].detail, sizeof(ret[cnt].detail), "run with sudo");
	}
	for (size_t i = 0; i < FEATURE_CNT && cnt < cap; i++, cnt++) {
		ret[cnt] = (struct probe_result){ .name = features[i].name,
						  .used_by = features[i].used_by,
						  .required = features[i].required };
		if (features[i].judge)
			features[i].judge(&trial, &ret[cnt]);
		else
			features[i].probe(&ret[cnt]);
		if (!ret[cnt].ok)
			say_what_is_lost(&features[i], &ret[cnt]);
	}
	trial_end(&trial);
	return cnt;
}
