/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * empty [stats] [EVENT...]: keeps a BPF program that does nothing attached to each of the
 * scheduler's EVENTs, and with `stats` the kernel's statistics of all programs' run time, until it
 * is told to stop. What any program costs at the least, and the means to measure one.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "tests/workloads/workload.h"

/* Two instructions need no compiler: r0 = 0, exit. */
static const struct bpf_insn nothing[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
	{ .code = BPF_JMP | BPF_EXIT },
};

/* The descriptors stay open for as long as the process lives. */
static void attach_nothing(const char *event)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_RAW_TP);
	int fd, btf_id = libbpf_find_vmlinux_btf_id(event, BPF_TRACE_RAW_TP);

	if (btf_id < 0) {
		errno = -btf_id;
		die(event);
	}
	options.attach_btf_id = (__u32)btf_id;
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "empty", "Dual BSD/GPL", nothing,
			   sizeof(nothing) / sizeof(nothing[0]), &options);
	if (fd < 0 || bpf_raw_tracepoint_open(NULL, fd) < 0)
		die(event);
}

int main(int argc, char **argv)
{
	int i;

	workload_init();
	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "stats") != 0)
			attach_nothing(argv[i]);
		else if (bpf_enable_stats(BPF_STATS_RUN_TIME) < 0)
			die("bpf_enable_stats");
	}
	print_ready();
	wait_for_stop(NULL);
	return 0;
}
