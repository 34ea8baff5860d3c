/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The only file that knows the skeleton of record's programs. */
#include "capture/recorder.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/vec.h"
#include "capture/futex_trace.h"
#include "capture/kernel_btf.h"
#include "capture/libbpf_log.h"
#include "capture/links.h"
#include "capture/probe.h"
#include "record.skel.h"

#define RULE_TABLE_SLOTS (1u << WIRE_RULE_TABLE_BITS)
#define RULE_TABLE_BYTES (RULE_TABLE_SLOTS * sizeof(struct wire_rule))

/* As in bpf/watch.h. */
#define WATCHED_MAX 4194304
#define WATCH_NO 0
#define WATCH_YES 1
#define WATCH_FROM_EXEC 2

#define TRACE_LINKS_MAX 64

/* For how long recorder_poll takes in what comes, when there is no end of it. */
#define POLL_MAX_NS (50 * 1000 * 1000ULL)
#define RING_PAUSED (-ECANCELED)

struct recorder {
	struct record_bpf *skel;
	struct ring_buffer *ring;
	struct vec clock_links; /* struct bpf_link *, one a CPU */
	struct vec trace_links; /* struct bpf_link *: of kernel_btf_attach */
	struct vec futex_links; /* struct bpf_link *, up to two a system call */
	pthread_t closer;	/* destroys .futex_links, when .is_closing */
	bool is_closing;
	bool has_futexes;	 /* futex calls are recorded */
	bool sees_new_code;	 /* at old addresses */
	struct wire_rule *rules; /* mapped; this process is its only writer */
	uint8_t *watched;	 /* mapped: enum watch by tgid */
	struct wire_record *record;
	uint64_t bad_records;
	uint64_t dropped_rules;
	capture_visit *visit; /* during recorder_poll */
	void *visit_arg;
	int visit_err;
	uint64_t poll_end_ns; /* CLOCK_MONOTONIC; 0: none */
};

/* Maps the array @map of the programs, of @bytes. Returns NULL with errno set. */
static void *map_array(const struct bpf_map *map, size_t bytes)
{
	void *array = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	return array == MAP_FAILED ? NULL : array;
}

/* Programs set the neighbours of a process meanwhile: each is set alone. */
static void set_watch(struct recorder *recorder, uint32_t tgid, uint8_t watch)
{
	if (tgid < WATCHED_MAX)
		__atomic_store_n(&recorder->watched[tgid], watch, __ATOMIC_RELEASE);
	if (watch)
		recorder->skel->bss->may_be_watched[tgid % WIRE_WATCH_SLOTS] = 1;
}

static void choose_processes(struct recorder *recorder, const struct recorder_options *options)
{
	if (!options->tgid_cnt) {
		memset(recorder->watched, WATCH_YES, WATCHED_MAX);
		memset(recorder->skel->bss->may_be_watched, 1, WIRE_WATCH_SLOTS);
		set_watch(recorder, 0, WATCH_NO); /* idle */
		set_watch(recorder, (uint32_t)getpid(), WATCH_NO);
	}
	for (uint32_t i = 0; i < options->tgid_cnt; i++)
		set_watch(recorder, (uint32_t)options->tgids[i],
			  options->from_exec ? WATCH_FROM_EXEC : WATCH_YES);
}

void recorder_watch(struct recorder *recorder, uint32_t tgid, bool watch)
{
	uint64_t now_ns = clock_mono_ns();

	if (watch && recorder->has_futexes)
		bpf_map_update_elem(bpf_map__fd(recorder->skel->maps.futex_since), &tgid, &now_ns,
				    BPF_ANY);
	set_watch(recorder, tgid, watch ? WATCH_YES : WATCH_NO);
}

bool recorder_watches(const struct recorder *recorder, uint32_t tgid)
{
	return tgid < WATCHED_MAX && __atomic_load_n(&recorder->watched[tgid], __ATOMIC_ACQUIRE);
}

static int on_ring_record(void *arg, void *bytes, size_t len)
{
	struct recorder *recorder = arg;
	struct wire_reader reader;

	wire_reader_init(&reader, bytes, len);
	while (wire_reader_next(&reader, recorder->record) == WIRE_NEXT_RECORD)
		if (!recorder->visit_err)
			recorder->visit_err =
				recorder->visit(recorder->visit_arg, recorder->record);
	recorder->bad_records += reader.bad_cnt + reader.unknown_cnt;
	return recorder->poll_end_ns && clock_mono_ns() >= recorder->poll_end_ns ? RING_PAUSED : 0;
}

/* Where only births are of interest nothing looks at the scheduler, whose tables stay empty. */
static void leave_out_switches(struct record_bpf *skel)
{
	bpf_program__set_autoload(skel->progs.on_switch, false);
	bpf_program__set_autoload(skel->progs.on_waking, false);
	bpf_program__set_autoload(skel->progs.on_wakeup_new, false);
	bpf_map__set_max_entries(skel->maps.runs, 1);
	bpf_map__set_max_entries(skel->maps.spans, 1);
	skel->rodata->cfg_runs = false;
}

/* How new code at an old address is noticed. */
enum fault_watch {
	FAULTS_BY_HELPER, /* which finds nothing with PREEMPT_RT */
	FAULTS_BY_TREE,	  /* that kernels without the helper have */
	FAULTS_UNWATCHED,
};

/* The helper is asked for by a type of program that libbpf can probe with. */
static enum fault_watch find_fault_watch(void)
{
	if (kernel_btf_is_rt())
		return FAULTS_UNWATCHED;
	if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_find_vma, NULL) == 1)
		return FAULTS_BY_HELPER;
	return kernel_btf_has_member("vm_area_struct", "vm_rb") ? FAULTS_BY_TREE : FAULTS_UNWATCHED;
}

static void choose_faults(struct record_bpf *skel, enum fault_watch faults)
{
	bpf_program__set_autoload(skel->progs.on_user_fault, faults == FAULTS_BY_HELPER);
	bpf_program__set_autoload(skel->progs.on_kernel_fault, faults == FAULTS_BY_HELPER);
	bpf_program__set_autoload(skel->progs.on_ufault_tree, faults == FAULTS_BY_TREE);
	bpf_program__set_autoload(skel->progs.on_kfault_tree, faults == FAULTS_BY_TREE);
}

static void choose_programs(struct record_bpf *skel, const struct recorder_options *options,
			    enum fault_watch faults)
{
	skel->rodata->cfg_all = !options->tgid_cnt;
	skel->rodata->cfg_min_block_ns = options->min_block_ns;
	skel->rodata->cfg_wakers = options->wakers;
	skel->rodata->cfg_softirq_start = options->softirq_start_addr;
	skel->rodata->cfg_softirq_end = options->softirq_end_addr;
	skel->rodata->cfg_kernel = options->kernel;
	skel->rodata->cfg_verify_every = options->verify_every;
	skel->rodata->cfg_futexes = options->futexes;
	/* What has nothing to do need not be verified. */
	bpf_program__set_autoload(skel->progs.on_tick, options->sample_hz > 0);
	bpf_program__set_autoload(skel->progs.on_death, options->deaths);
	bpf_program__set_autoload(skel->progs.on_futex_enter, options->futexes);
	bpf_program__set_autoload(skel->progs.on_futex_exit, options->futexes);
	bpf_map__set_autocreate(skel->maps.futexes, options->futexes);
	bpf_map__set_autocreate(skel->maps.futex_waits, options->futexes);
	bpf_map__set_autocreate(skel->maps.futex_since, options->futexes);
	if (options->births_only)
		leave_out_switches(skel);
	choose_faults(skel, faults);
}

static int attach(struct recorder *recorder, const struct recorder_options *options,
		  struct err *err)
{
	int code = record_bpf__attach(recorder->skel);

	if (!code)
		code = kernel_btf_attach(recorder->skel->obj, &recorder->trace_links);
	if (code)
		return libbpf_log_error(err, code, "attach to the scheduler's events");
	/* Its program has nothing to do before the window. */
	if (options->sample_hz)
		code = links_add_clock(&recorder->clock_links, NULL, recorder->skel->progs.on_tick,
				       options->sample_hz, err);
	if (code)
		return code;
	if (options->futexes)
		code = futex_trace_attach(&recorder->futex_links,
					  recorder->skel->progs.on_futex_enter,
					  recorder->skel->progs.on_futex_exit);
	return code ? err_set(err, code, "cannot attach to the futex calls' tracepoints: %s%s",
			      strerror(-code), links_doubt(code))
		    : 0;
}

/* Opens and loads the programs, fitted to this kernel. Returns 0, or -errno with @err set. */
static int load_object(struct recorder *recorder, const struct recorder_options *options,
		       enum fault_watch faults, struct err *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	struct kernel_btf_part part;
	int code;

	libbpf_log_start();
	record_bpf__destroy(recorder->skel);
	recorder->skel = NULL;
	code = kernel_btf_prepare(&part, &opts);
	if (!code) {
		recorder->skel = record_bpf__open_opts(&opts);
		code = recorder->skel ? kernel_btf_fit(&part, recorder->skel->obj) : -errno;
	}
	if (code) {
		kernel_btf_part_release(&part);
		return libbpf_log_error(err, code, "open the BPF programs");
	}
	choose_programs(recorder->skel, options, faults);
	code = record_bpf__load(recorder->skel);
	kernel_btf_part_release(&part);
	recorder->sees_new_code = !code && faults != FAULTS_UNWATCHED;
	return code ? libbpf_log_error(err, code, "load the BPF programs") : 0;
}

static int load_programs(struct recorder *recorder, const struct recorder_options *options,
			 struct err *err)
{
	enum fault_watch faults = find_fault_watch();
	int code = load_object(recorder, options, faults, err);

	/* These are what a recording can do without: it says so. */
	if (code && faults != FAULTS_UNWATCHED)
		code = load_object(recorder, options, FAULTS_UNWATCHED, err);
	return code;
}

static int load(struct recorder *recorder, const struct recorder_options *options, struct err *err)
{
	int code;

	if (!kernel_btf_ring_is_safe())
		return err_set(err, -EOPNOTSUPP,
			       "this kernel's ring buffers are not safe to use with PREEMPT_RT: "
			       "loiter records on those from Linux 6.12 on, or with 8b62645b09f8 "
			       "backported");
	code = load_programs(recorder, options, err);
	if (code)
		return code;
	recorder->watched = map_array(recorder->skel->maps.watched, WATCHED_MAX);
	if (!recorder->watched)
		return libbpf_log_error(err, -errno, "map the table of processes");
	choose_processes(recorder, options);
	recorder->rules = map_array(recorder->skel->maps.rules, RULE_TABLE_BYTES);
	if (!recorder->rules)
		return libbpf_log_error(err, -errno, "map the table of rules");
	recorder->ring = ring_buffer__new(bpf_map__fd(recorder->skel->maps.events), on_ring_record,
					  recorder, NULL);
	if (!recorder->ring)
		return libbpf_log_error(err, -errno, "map the ring buffer");
	return attach(recorder, options, err);
}

struct recorder *recorder_new(const struct recorder_options *options, struct err *err)
{
	struct recorder *recorder;

	if (probe_require(err))
		return NULL;
	recorder = calloc(1, sizeof(*recorder));
	if (!recorder)
		goto no_memory;
	vec_init(&recorder->clock_links, sizeof(struct bpf_link *), 65536);
	vec_init(&recorder->trace_links, sizeof(struct bpf_link *), TRACE_LINKS_MAX);
	vec_init(&recorder->futex_links, sizeof(struct bpf_link *), FUTEX_TRACE_LINKS_MAX);
	recorder->has_futexes = options->futexes;
	recorder->record = calloc(1, sizeof(*recorder->record));
	if (!recorder->record)
		goto no_memory;
	if (load(recorder, options, err)) {
		recorder_free(recorder);
		return NULL;
	}
	return recorder;
no_memory:
	recorder_free(recorder);
	err_set(err, -ENOMEM, "not enough memory for the BPF programs");
	return NULL;
}

static void *close_futex_links(void *recorder)
{
	links_destroy(&((struct recorder *)recorder)->futex_links);
	return NULL;
}

/* The kernel waits for all CPUs with each of these links: nobody else should. */
static void start_closing(struct recorder *recorder)
{
	if (recorder->futex_links.len)
		recorder->is_closing =
			!pthread_create(&recorder->closer, NULL, close_futex_links, recorder);
}

void recorder_free(struct recorder *recorder)
{
	if (!recorder)
		return;
	links_destroy(&recorder->clock_links);
	vec_release(&recorder->clock_links);
	links_destroy(&recorder->trace_links);
	vec_release(&recorder->trace_links);
	if (recorder->is_closing)
		pthread_join(recorder->closer, NULL);
	links_destroy(&recorder->futex_links);
	vec_release(&recorder->futex_links);
	ring_buffer__free(recorder->ring);
	if (recorder->rules)
		munmap(recorder->rules, RULE_TABLE_BYTES);
	if (recorder->watched)
		munmap(recorder->watched, WATCHED_MAX);
	record_bpf__destroy(recorder->skel);
	free(recorder->record);
	free(recorder);
}

uint64_t recorder_start(struct recorder *recorder)
{
	uint64_t start_ns = clock_mono_ns();

	__atomic_store_n(&recorder->skel->bss->record_start_ns, start_ns, __ATOMIC_RELEASE);
	return start_ns;
}

uint64_t recorder_stop(struct recorder *recorder)
{
	uint64_t end_ns = clock_mono_ns();

	__atomic_store_n(&recorder->skel->bss->record_start_ns, 0, __ATOMIC_RELEASE);
	start_closing(recorder);
	record_bpf__detach(recorder->skel);
	links_destroy(&recorder->trace_links);
	links_destroy(&recorder->clock_links);
	return end_ns;
}

int recorder_poll(struct recorder *recorder, int timeout_ms, capture_visit *visit, void *arg)
{
	int got;

	recorder->visit = visit;
	recorder->visit_arg = arg;
	recorder->visit_err = 0;
	recorder->poll_end_ns = clock_mono_ns() + (uint64_t)timeout_ms * 1000000 + POLL_MAX_NS;
	got = ring_buffer__poll(recorder->ring, timeout_ms);
	if (!got) /* there may be what nobody was woken for */
		got = ring_buffer__consume(recorder->ring);
	if (recorder->visit_err)
		return recorder->visit_err;
	return got < 0 && got != -EINTR && got != RING_PAUSED ? got : 0;
}

int recorder_drain(struct recorder *recorder, capture_visit *visit, void *arg)
{
	int got;

	recorder->visit = visit;
	recorder->visit_arg = arg;
	recorder->visit_err = 0;
	recorder->poll_end_ns = 0;
	got = ring_buffer__consume(recorder->ring);
	return recorder->visit_err ? recorder->visit_err : got < 0 ? got : 0;
}

bool recorder_sees_new_code(const struct recorder *recorder)
{
	return recorder->sees_new_code;
}

uint64_t recorder_epoch(const struct recorder *recorder)
{
	return __atomic_load_n(&recorder->skel->bss->code_epoch, __ATOMIC_ACQUIRE);
}

uint64_t recorder_epoch_of(const struct recorder *recorder, uint32_t tgid)
{
	return __atomic_load_n(&recorder->skel->bss->code_changed_at[tgid % WIRE_CHANGE_SLOTS],
			       __ATOMIC_ACQUIRE);
}

void recorder_put_code(struct recorder *recorder, uint32_t space, uint64_t code_id)
{
	struct wire_code_key key = { .code_id = code_id, .space = space };
	uint8_t one = 1;

	/* When the table is full, it is asked for again each time its pages are touched first. */
	bpf_map_update_elem(bpf_map__fd(recorder->skel->maps.known_code), &key, &one, BPF_ANY);
}

void recorder_put_rule(struct recorder *recorder, uint32_t space, uint64_t pc, bool exact,
		       struct rule rule)
{
	uint64_t key = wire_rule_key(space, pc, exact);
	uint32_t at = wire_rule_slot(key);
	uint64_t bits;

	if (!key)
		return; /* its walks end there, without asking */
	memcpy(&bits, &rule, sizeof(bits));
	for (uint32_t i = 0; i < WIRE_RULE_PROBES; i++) {
		struct wire_rule *slot = &recorder->rules[(at + i) & (RULE_TABLE_SLOTS - 1)];

		if (slot->key && slot->key != key)
			continue;
		slot->rule = bits;
		__atomic_store_n(&slot->key, key, __ATOMIC_RELEASE);
		return;
	}
	recorder->dropped_rules++;
}

void recorder_expect_space(struct recorder *recorder, uint32_t tgid)
{
	struct wire_space space = { .last_number = WIRE_SPACE_UNASKED };

	/* When the table is full, the programs count it as they ask. */
	bpf_map_update_elem(bpf_map__fd(recorder->skel->maps.spaces), &tgid, &space, BPF_NOEXIST);
}

void recorder_ask_again(struct recorder *recorder, uint32_t tgid, uint32_t last_number)
{
	struct wire_space space = { .last_number = last_number };

	bpf_map_update_elem(bpf_map__fd(recorder->skel->maps.spaces), &tgid, &space, BPF_EXIST);
}

int recorder_put_space(struct recorder *recorder, uint32_t tgid, uint32_t number,
		       uint64_t exec_pages, uint64_t epoch)
{
	struct wire_space space = { .number = number, .exec_pages = exec_pages, .epoch = epoch };

	return bpf_map_update_elem(bpf_map__fd(recorder->skel->maps.spaces), &tgid, &space,
				   BPF_ANY);
}

void recorder_show_birth(struct recorder *recorder, const struct wire_birth *birth)
{
	bpf_map_update_elem(bpf_map__fd(recorder->skel->maps.loiter_births), &birth->tid, birth,
			    BPF_ANY);
}

void recorder_show_stack(struct recorder *recorder, uint64_t id,
			 const struct wire_birth_stack *stack)
{
	bpf_map_update_elem(bpf_map__fd(recorder->skel->maps.loiter_bstacks), &id, stack, BPF_ANY);
}

void recorder_hide_birth(struct recorder *recorder, uint32_t tid)
{
	bpf_map_delete_elem(bpf_map__fd(recorder->skel->maps.loiter_births), &tid);
}

int recorder_read_runs(struct recorder *recorder,
		       int (*visit)(void *arg, uint32_t tid, const struct wire_run *run), void *arg)
{
	int map_fd = bpf_map__fd(recorder->skel->maps.runs);
	uint32_t tid, *last = NULL;
	struct wire_run run;
	int err = 0;

	while (!err && !bpf_map_get_next_key(map_fd, last, &tid)) {
		last = &tid;
		if (!bpf_map_lookup_elem(map_fd, &tid, &run))
			err = visit(arg, tid, &run);
	}
	return err;
}

int recorder_read_spans(struct recorder *recorder,
			int (*visit)(void *arg, const struct wire_span_key *key,
				     const struct wire_span *span),
			void *arg)
{
	int map_fd = bpf_map__fd(recorder->skel->maps.spans);
	struct wire_span_key key, *last = NULL;
	struct wire_span span;
	int err = 0;

	while (!err && !bpf_map_get_next_key(map_fd, last, &key)) {
		last = &key;
		if (!bpf_map_lookup_elem(map_fd, &key, &span))
			err = visit(arg, &key, &span);
	}
	return err;
}

int recorder_read_futexes(struct recorder *recorder,
			  int (*visit)(void *arg, const struct wire_futex_key *key,
				       const struct wire_futex *sum),
			  void *arg)
{
	return futex_trace_read_sums(bpf_map__fd(recorder->skel->maps.futexes), visit, arg,
				     &recorder->bad_records);
}

int recorder_read_futex_waits(struct recorder *recorder,
			      int (*visit)(void *arg, uint32_t tid,
					   const struct wire_futex_wait *wait),
			      void *arg)
{
	return futex_trace_read_waits(bpf_map__fd(recorder->skel->maps.futex_waits), visit, arg,
				      &recorder->bad_records);
}

/* What the kernel did not run a program for, since it was running it on that CPU already. The field
 * is there since 5.12: 9ed9e9ba2337 ("bpf: Count the number of times recursion was prevented"). */
static uint64_t missed_events(const struct recorder *recorder)
{
	struct bpf_program *program;
	uint64_t missed = 0;

	bpf_object__for_each_program(program, recorder->skel->obj)
	{
		struct bpf_prog_info info = { 0 };
		uint32_t len = sizeof(info);
		int fd = bpf_program__fd(program);

		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len))
			missed += info.recursion_misses;
	}
	return missed;
}

struct recorder_losses recorder_losses(const struct recorder *recorder)
{
	const struct record_bpf__bss *bss = recorder->skel->bss;

	return (struct recorder_losses){ .bad_records = recorder->bad_records,
					 .dropped_events = bss->drop_events,
					 .dropped_runs = bss->drop_runs,
					 .dropped_spans = bss->drop_spans,
					 .dropped_rules = recorder->dropped_rules,
					 .dropped_stacks = bss->drop_stacks,
					 .dropped_kstacks = bss->drop_kstacks,
					 .dropped_spaces = bss->drop_spaces,
					 .dropped_futexes = bss->drop_futexes,
					 .dropped_futex_waits = bss->drop_futex_waits,
					 .missed_events =
						 bss->missed_switches + missed_events(recorder) };
}
