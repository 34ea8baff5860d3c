/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "capture/futex_trace.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "capture/links.h"
#include "capture/tracefs.h"
#include "wire/event.h"

#define SYSCALL_CNT (sizeof(syscalls) / sizeof(syscalls[0]))
#define NAME_BYTES 64

/* The first two are there on every kernel that traces system calls. futex_waitv is since 5.16:
 * bf69bad38cf6 ("futex: Implement sys_futex_waitv()"), the last three are since 6.7: 9f6c532f59b2
 * ("futex: Add sys_futex_wake()"). What a kernel has no tracepoint for, nobody calls. */
static const struct {
	const char *name;
	bool waits; /* looked at when it is called, not only when it returns */
} syscalls[] = { { "futex", true },	 { "restart_syscall", true }, { "futex_waitv", true },
		 { "futex_wait", true }, { "futex_wake", false },     { "futex_requeue", false } };

static int find_id(int tracefs_fd, const char *when, const char *syscall, uint32_t *ret_id)
{
	char name[NAME_BYTES];

	snprintf(name, sizeof(name), "sys_%s_%s", when, syscall);
	return tracefs_id(tracefs_fd, "syscalls", name, ret_id);
}

static int attach_one(struct vec *links, int tracefs_fd, struct bpf_program *program,
		      const char *when, const char *syscall)
{
	uint32_t id;
	int err = find_id(tracefs_fd, when, syscall, &id);

	return err ? err : links_add_tracepoint(links, program, id);
}

int futex_trace_attach(struct vec *links, struct bpf_program *enter, struct bpf_program *exit)
{
	_cleanup_close_ int tracefs_fd = tracefs_open();

	if (tracefs_fd < 0)
		return tracefs_fd;
	for (size_t i = 0; i < SYSCALL_CNT; i++) {
		int err = attach_one(links, tracefs_fd, exit, "exit", syscalls[i].name);

		if (!err && syscalls[i].waits)
			err = attach_one(links, tracefs_fd, enter, "enter", syscalls[i].name);
		if (err && (!i || err != -ENOENT))
			return err;
	}
	return 0;
}

int futex_trace_probe(char *text, size_t len)
{
	_cleanup_close_ int tracefs_fd = tracefs_open();
	int first_err = tracefs_fd < 0 ? tracefs_fd : 0;
	size_t at = 0;

	for (size_t i = 0; tracefs_fd >= 0 && i < SYSCALL_CNT; i++) {
		uint32_t id;
		int err = find_id(tracefs_fd, "enter", syscalls[i].name, &id);

		if (!i)
			first_err = err;
		if (err)
			continue;
		at += (size_t)snprintf(text + at, at < len ? len - at : 0, "%s%s", at ? ", " : "",
				       syscalls[i].name);
		if (at > len)
			at = len;
	}
	return first_err;
}

int futex_trace_read_sums(int map_fd,
			  int (*visit)(void *arg, const struct wire_futex_key *key,
				       const struct wire_futex *sum),
			  void *arg, uint64_t *bad_cnt)
{
	struct wire_futex_key key, *last = NULL;
	struct wire_futex sum;
	int err = 0;

	while (!err && !bpf_map_get_next_key(map_fd, last, &key)) {
		last = &key;
		if (bpf_map_lookup_elem(map_fd, &key, &sum))
			continue;
		if (wire_futex_key_is_valid(&key))
			err = visit(arg, &key, &sum);
		else
			(*bad_cnt)++;
	}
	return err;
}

int futex_trace_read_waits(int map_fd,
			   int (*visit)(void *arg, uint32_t tid,
					const struct wire_futex_wait *wait),
			   void *arg, uint64_t *bad_cnt)
{
	struct wire_futex_wait wait;
	uint32_t tid, *last = NULL;
	int err = 0;

	while (!err && !bpf_map_get_next_key(map_fd, last, &tid)) {
		last = &tid;
		if (bpf_map_lookup_elem(map_fd, &tid, &wait))
			continue;
		if (wire_futex_wait_is_valid(&wait))
			err = visit(arg, tid, &wait);
		else
			(*bad_cnt)++;
	}
	return err;
}
