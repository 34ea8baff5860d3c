/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "capture/links.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"

#define PARANOID_PATH "/proc/sys/kernel/perf_event_paranoid"
#define PARANOID_MAINLINE_MAX 2

/* Attaches @program to the perf event @fd, which is the link's from then on, and closed if there is
 * none. */
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
		int err = -errno;

		bpf_link__destroy(link);
		return err;
	}
	*slot = link;
	return 0;
}

static int open_event(struct perf_event_attr *attr, int cpu)
{
	int fd = (int)syscall(SYS_perf_event_open, attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int add_clock(struct vec *links, struct vec *fds, const struct bpf_program *program,
		     uint32_t hz, int cpu)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
					.size = sizeof(attr),
					.config = PERF_COUNT_SW_CPU_CLOCK,
					.sample_freq = hz,
					.freq = 1 };
	int fd = open_event(&attr, cpu);
	int err;

	if (fd < 0)
		return fd == -ENODEV ? 0 : fd; /* ENODEV: the CPU is offline */
	err = add_event(links, program, fd);
	return err || !fds ? err : vec_append(fds, &fd, 1);
}

int links_add_clock(struct vec *links, struct vec *fds, const struct bpf_program *program,
		    uint32_t hz, struct err *err)
{
	int cpu_cnt = libbpf_num_possible_cpus();
	int code = 0;

	for (int cpu = 0; cpu < cpu_cnt && !code; cpu++)
		code = add_clock(links, fds, program, hz, cpu);
	if (!code)
		return 0;
	links_destroy(links);
	if (fds)
		vec_clear(fds);
	return err_set(err, code, "cannot start the CPU clock: %s%s", strerror(-code),
		       links_doubt(code));
}

void links_run_clock(const struct vec *fds, bool run)
{
	unsigned long request = run ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE;

	for (uint32_t i = 0; i < fds->len; i++)
		ioctl(*(int *)vec_at(fds, i), request, 0);
}

int links_add_tracepoint(struct vec *links, const struct bpf_program *program, uint32_t id)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT,
					.size = sizeof(attr),
					.config = id };
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

const char *links_doubt(int code)
{
	uint32_t level = 0;

	/* Negative levels allow everything, and are no number that is read. */
	file_read_u32(AT_FDCWD, PARANOID_PATH, &level);
	return code == -EACCES && level > PARANOID_MAINLINE_MAX
		       ? ", since kernel.perf_event_paranoid is above 2: needs CAP_SYS_ADMIN; run "
			 "with sudo"
		       : "";
}
