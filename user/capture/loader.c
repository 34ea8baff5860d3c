/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The only file that knows the skeleton of dump's programs. */
#include "capture/capture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/vec.h"
#include "capture/kernel_btf.h"
#include "capture/libbpf_log.h"
#include "capture/links.h"
#include "capture/probe.h"
#include "loiter.skel.h"

#define SAMPLE_HZ 1999
#define READ_BYTES (256u << 10)
#define CPU_MAX 65536

struct capture {
	struct loiter_bpf *skel;
	struct bpf_link *tasks;
	struct bpf_link *every; /* NULL until needed: as .tasks, without the kernel's filter */
	struct bpf_link *self;
	bool has_filter; /* of the task iterator */
	bool has_clock;	 /* on_sample is loaded */
	struct ring_buffer *ring;
	struct vec sample_links; /* struct bpf_link *, one a CPU */
	struct vec sample_fds;	 /* int: their perf events */
	bool keeps_clock;	 /* between two windows */
	struct wire_record *record;
	unsigned char *bytes; /* READ_BYTES */
	uint64_t bad_records;
	capture_visit *visit; /* during capture_sample_poll */
	void *visit_arg;
	int visit_err;
};

static int set_targets(struct capture *capture, const pid_t *tgids, uint32_t tgid_cnt)
{
	int map_fd = bpf_map__fd(capture->skel->maps.targets);
	uint8_t one = 1;

	for (uint32_t i = 0; i < tgid_cnt; i++) {
		uint32_t tgid = (uint32_t)tgids[i];
		int err = bpf_map_update_elem(map_fd, &tgid, &one, BPF_ANY);

		if (err)
			return err;
	}
	return 0;
}

/* Attaches the iterator to one process (@tgid) or one thread (@tid). The filter exists since 6.1:
 * f0d74c4da1f0 ("bpf: Parameterize task iterators."). Returns NULL with errno set. */
static struct bpf_link *attach_filtered(struct capture *capture, pid_t tgid, pid_t tid)
{
	LIBBPF_OPTS(bpf_iter_attach_opts, opts);
	union bpf_iter_link_info info = { 0 };

	info.task.pid = (uint32_t)tgid;
	info.task.tid = (uint32_t)tid;
	opts.link_info = &info;
	opts.link_info_len = sizeof(info);
	return bpf_program__attach_iter(capture->skel->progs.on_task, &opts);
}

/* Attaches the iterator to one process, or to all when @tgid is 0 or the kernel has no filter: the
 * program filters too. */
static struct bpf_link *attach_iterator(struct capture *capture, pid_t tgid)
{
	struct bpf_link *link = tgid ? attach_filtered(capture, tgid, 0) : NULL;

	return link ? link : bpf_program__attach_iter(capture->skel->progs.on_task, NULL);
}

/* How the CPU clock's program is loaded. */
enum clock_load {
	CLOCK_LEAN,	    /* .targets grows with what is in it */
	CLOCK_PREALLOCATED, /* the clock's programs may use such a map since 6.1 only: 96da3f7d489d
			     * ("bpf: Remove tracing program restriction on map types") */
	CLOCK_NONE,
};

static void choose_parts(struct loiter_bpf *skel, const struct capture_options *options,
			 enum clock_load clock)
{
	skel->bss->look_at_all = !options->tgid_cnt;
	skel->rodata->cfg_kstacks = options->kstacks;
	if (clock == CLOCK_PREALLOCATED)
		bpf_map__set_map_flags(skel->maps.targets, 0);
	if (clock == CLOCK_NONE) {
		bpf_program__set_autoload(skel->progs.on_sample, false);
		bpf_map__set_autocreate(skel->maps.samples, false);
		bpf_map__set_autocreate(skel->maps.sampled, false);
	}
}

static int load_object(struct capture *capture, const struct capture_options *options,
		       enum clock_load clock)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	struct kernel_btf_part part;
	int code;

	libbpf_log_start();
	loiter_bpf__destroy(capture->skel);
	capture->skel = NULL;
	code = kernel_btf_prepare(&part, &opts);
	if (!code) {
		capture->skel = loiter_bpf__open_opts(&opts);
		code = capture->skel ? kernel_btf_fit(&part, capture->skel->obj) : -errno;
	}
	if (!code) {
		choose_parts(capture->skel, options, clock);
		code = loiter_bpf__load(capture->skel);
	}
	if (!code)
		capture->has_clock = clock != CLOCK_NONE;
	kernel_btf_part_release(&part);
	return code;
}

static int attach(struct capture *capture, pid_t only)
{
	capture->tasks = attach_iterator(capture, only);
	if (!capture->tasks)
		return -errno;
	/* By process: older kernels refuse the number of a process that they cannot use, but ignore
	 * that of a thread, which stands where they expect something else. */
	capture->self = attach_filtered(capture, getpid(), 0);
	capture->has_filter = capture->self != NULL;
	if (!capture->self)
		capture->self = attach_iterator(capture, 0);
	return capture->self ? 0 : -errno;
}

static int load(struct capture *capture, const struct capture_options *options, struct err *err)
{
	enum clock_load clock = kernel_btf_ring_is_safe() ? CLOCK_LEAN : CLOCK_NONE;
	int code = -EINVAL;

	/* The clock is the one part that dump can do without. */
	for (; code && clock <= CLOCK_NONE; clock++)
		code = load_object(capture, options, clock);
	if (code)
		return libbpf_log_error(err, code, "load the BPF programs");
	code = set_targets(capture, options->tgids, options->tgid_cnt);
	if (code)
		return libbpf_log_error(err, code, "name the target processes to the BPF programs");
	code = attach(capture, options->tgid_cnt == 1 ? options->tgids[0] : 0);
	return code ? libbpf_log_error(err, code, "attach the task iterator") : 0;
}

static int open_clock(struct capture *capture, struct err *err)
{
	if (!capture->has_clock)
		return err_set(err, -EOPNOTSUPP, "no CPU clock on this kernel; see 'loiter check'");
	return links_add_clock(&capture->sample_links, &capture->sample_fds,
			       capture->skel->progs.on_sample, SAMPLE_HZ, err);
}

static void close_clock(struct capture *capture)
{
	links_destroy(&capture->sample_links);
	vec_clear(&capture->sample_fds);
}

struct capture *capture_new(const struct capture_options *options, struct err *err)
{
	struct capture *capture;

	if (probe_require(err))
		return NULL;
	capture = calloc(1, sizeof(*capture));
	if (!capture)
		goto no_memory;
	vec_init(&capture->sample_links, sizeof(struct bpf_link *), CPU_MAX);
	vec_init(&capture->sample_fds, sizeof(int), CPU_MAX);
	capture->record = calloc(1, sizeof(*capture->record));
	capture->bytes = malloc(READ_BYTES);
	if (!capture->record || !capture->bytes)
		goto no_memory;
	if (load(capture, options, err)) {
		capture_free(capture);
		return NULL;
	}
	/* Without one, running threads go without a stack, as where it cannot be started. */
	capture->keeps_clock = options->keep_clock && !open_clock(capture, NULL);
	links_run_clock(&capture->sample_fds, false);
	return capture;
no_memory:
	capture_free(capture);
	err_set(err, -ENOMEM, "not enough memory for the BPF programs");
	return NULL;
}

void capture_free(struct capture *capture)
{
	if (!capture)
		return;
	close_clock(capture);
	vec_release(&capture->sample_links);
	vec_release(&capture->sample_fds);
	ring_buffer__free(capture->ring);
	bpf_link__destroy(capture->tasks);
	bpf_link__destroy(capture->every);
	bpf_link__destroy(capture->self);
	loiter_bpf__destroy(capture->skel);
	free(capture->record);
	free(capture->bytes);
	free(capture);
}

int capture_retarget(struct capture *capture, const pid_t *tgids, uint32_t tgid_cnt,
		     struct err *err)
{
	int map_fd = bpf_map__fd(capture->skel->maps.targets);
	struct bpf_link *tasks;
	uint32_t tgid;
	int code;

	libbpf_log_start();
	while (!bpf_map_get_next_key(map_fd, NULL, &tgid))
		if (bpf_map_delete_elem(map_fd, &tgid))
			return libbpf_log_error(err, -errno, "forget the processes before");
	code = set_targets(capture, tgids, tgid_cnt);
	if (code)
		return libbpf_log_error(err, code, "name the target processes to the BPF programs");
	tasks = attach_iterator(capture, tgid_cnt == 1 ? tgids[0] : 0);
	if (!tasks)
		return libbpf_log_error(err, -errno, "attach the task iterator");
	capture->skel->bss->look_at_all = false;
	bpf_link__destroy(capture->tasks);
	capture->tasks = tasks;
	return 0;
}

/* Visits the whole records among @len bytes; what is left of a last one moves to the front.
 * Returns how many bytes are left, or the visitor's error. */
static ssize_t visit_bytes(struct capture *capture, size_t len, capture_visit *visit, void *arg)
{
	struct wire_reader reader;
	int err = 0;

	wire_reader_init(&reader, capture->bytes, len);
	while (!err && wire_reader_next(&reader, capture->record) == WIRE_NEXT_RECORD)
		err = visit(arg, capture->record);
	capture->bad_records += reader.bad_cnt + reader.unknown_cnt;
	if (err < 0)
		return err;
	memmove(capture->bytes, capture->bytes + reader.consumed_bytes,
		len - reader.consumed_bytes);
	return (ssize_t)(len - reader.consumed_bytes);
}

static int read_link(struct capture *capture, struct bpf_link *link, capture_visit *visit,
		     void *arg)
{
	int fd = bpf_iter_create(bpf_link__fd(link));
	size_t have = 0;
	int err = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t got = read(fd, capture->bytes + have, READ_BYTES - have);
		ssize_t left;

		if (!got)
			break;
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got < 0) {
			err = -errno;
			break;
		}
		left = visit_bytes(capture, have + (size_t)got, visit, arg);
		if (left < 0) {
			err = (int)left;
			break;
		}
		have = (size_t)left;
	}
	close(fd);
	if (!err && have)
		capture->bad_records++;
	return err;
}

static int read_tasks(struct capture *capture, struct bpf_link *link, capture_visit *visit,
		      void *arg, struct err *err)
{
	int code = read_link(capture, link, visit, arg);

	return code ? err_set_errno(err, code, "cannot read the task iterator") : 0;
}

int capture_read_tasks(struct capture *capture, capture_visit *visit, void *arg, struct err *err)
{
	return read_tasks(capture, capture->tasks, visit, arg, err);
}

int capture_read_every_task(struct capture *capture, capture_visit *visit, void *arg,
			    struct err *err)
{
	if (!capture->every)
		capture->every = attach_iterator(capture, 0);
	if (!capture->every)
		return err_set_errno(err, -errno, "cannot attach the task iterator");
	return read_tasks(capture, capture->every, visit, arg, err);
}

bool capture_can_read_thread(const struct capture *capture)
{
	return capture->has_filter;
}

int capture_read_thread(struct capture *capture, pid_t tid, capture_visit *visit, void *arg)
{
	struct bpf_link *link = attach_filtered(capture, 0, tid);
	int err;

	if (!link)
		return -errno;
	err = read_link(capture, link, visit, arg);
	bpf_link__destroy(link);
	return err;
}

static int keep_self(void *arg, const struct wire_record *record)
{
	if (record->type == WIRE_TASK && record->task.flags & WIRE_IS_SELF)
		*(struct wire_task *)arg = record->task;
	return 0;
}

int capture_read_self(struct capture *capture, struct wire_task *ret)
{
	uint32_t own = (uint32_t)getpid();
	int map_fd = bpf_map__fd(capture->skel->maps.targets);
	uint8_t one = 1;
	int err;

	/* Added for this read only: loiter is no target of its own, unless it was named as one. */
	bool named = !bpf_map_lookup_elem(map_fd, &own, &one);

	if (!named && bpf_map_update_elem(map_fd, &own, &one, BPF_ANY))
		return -errno;
	ret->header.size_bytes = 0;
	err = read_link(capture, capture->self, keep_self, ret);
	if (!named)
		bpf_map_delete_elem(map_fd, &own);
	if (err)
		return err;
	return ret->header.size_bytes ? 0 : -ENOENT;
}

static int on_ring_record(void *arg, void *bytes, size_t len)
{
	struct capture *capture = arg;
	struct wire_reader reader;

	wire_reader_init(&reader, bytes, len);
	while (wire_reader_next(&reader, capture->record) == WIRE_NEXT_RECORD)
		if (!capture->visit_err)
			capture->visit_err = capture->visit(capture->visit_arg, capture->record);
	capture->bad_records += reader.bad_cnt + reader.unknown_cnt;
	return 0;
}

static int ignore_record(void *arg, const struct wire_record *record)
{
	(void)arg;
	(void)record;
	return 0;
}

int capture_sample_start(struct capture *capture, struct err *err)
{
	if (!capture->ring)
		capture->ring = ring_buffer__new(bpf_map__fd(capture->skel->maps.samples),
						 on_ring_record, capture, NULL);
	if (!capture->ring)
		return err_set_errno(err, -errno, "cannot map the ring buffer");
	/* What an earlier window left is old by now, and its threads are to be caught again. */
	capture_sample_poll(capture, 0, ignore_record, NULL);
	capture->skel->bss->sample_window++;
	if (!capture->keeps_clock)
		return open_clock(capture, err);
	links_run_clock(&capture->sample_fds, true);
	return 0;
}

int capture_sample_poll(struct capture *capture, int timeout_ms, capture_visit *visit, void *arg)
{
	int got;

	capture->visit = visit;
	capture->visit_arg = arg;
	capture->visit_err = 0;
	got = ring_buffer__poll(capture->ring, timeout_ms);
	if (capture->visit_err)
		return capture->visit_err;
	return got < 0 && got != -EINTR ? got : 0;
}

void capture_sample_stop(struct capture *capture)
{
	if (capture->keeps_clock)
		links_run_clock(&capture->sample_fds, false);
	else
		close_clock(capture);
}

struct capture_losses capture_losses(const struct capture *capture)
{
	return (struct capture_losses){ .bad_records = capture->bad_records,
					.dropped_samples = capture->skel->bss->drop_samples };
}
