/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "capture/links.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"

#define PARANOID_PATH "/proc/sys/kernel/perf_event_paranoid"
#define PARANOID_MAINLINE_MAX 2

/* Attaches @program to the perf event @fd, which is the link's from then on. */
static int add_event(struct vec *links, const struct bpf_program *program, int fd)
{
	struct bpf_link *link = bpf_program__attach_perf_event(program, fd);
	struct bpf_link **slot;

	if (!link) {
		int err = -errno;

		close(fd);
		return err;
	}
	slot = vec_push(links);
	if (!slot) {
		bpf_link__destroy(link);
		return -ENOMEM;
	}
	*slot = link;
	return 0;
}

static int open_event(struct perf_event_attr *attr, int cpu)
{
	int fd = (int)syscall(SYS_perf_event_open, attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int add_clock(struct vec *links, const struct bpf_program *program, uint32_t hz, int cpu)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
					.size = sizeof(attr),
					.config = PERF_COUNT_SW_CPU_CLOCK,
					.sample_freq = hz,
					.freq = 1 };
	int fd = open_event(&attr, cpu);

	if (fd < 0)
		return fd == -ENODEV ? 0 : fd; /* ENODEV: the CPU is offline */
	return add_event(links, program, fd);
}

int links_add_clock(struct vec *links, const struct bpf_program *program, uint32_t hz,
		    struct err *err)
{
	int cpu_cnt = libbpf_num_possible_cpus();
	int code = 0;

	for (int cpu = 0; cpu < cpu_cnt && !code; cpu++)
		code = add_clock(links, program, hz, cpu);
	if (!code)
		return 0;
	links_destroy(links);
	if (code == -EACCES && links_need_admin())
		return err_set(err, code,
			       "cannot start the CPU clock: kernel.perf_event_paranoid is above 2, "
			       "which takes CAP_SYS_ADMIN; run with sudo");
	return err_set_errno(err, code, "cannot start the CPU clock");
}

int links_add_tracepoint(struct vec *links, const struct bpf_program *program, uint32_t id)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT,
					.size = sizeof(attr),
					.config = id,
					.sample_period = 1,
					.wakeup_events = 1 };
	/* Which CPU does not matter: programs run for the tracepoint, wherever it is hit. */
	int fd = open_event(&attr, 0);

	return fd < 0 ? fd : add_event(links, program, fd);
}

void links_destroy(struct vec *links)
{
	for (uint32_t i = 0; i < links->len; i++)
		bpf_link__destroy(*(struct bpf_link **)vec_at(links, i));
	vec_clear(links);
}

bool links_need_admin(void)
{
	uint32_t level = 0;

	/* Negative levels allow everything, and are no number that is read. */
	file_read_u32(AT_FDCWD, PARANOID_PATH, &level);
	return level > PARANOID_MAINLINE_MAX;
}
