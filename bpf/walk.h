/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The walk in the kernel: from a thread's user registers to its pcs by rules that user space
 * learned from call frame information. No table is built beforehand: a pc without a rule ends the
 * walk with a copy of the stack for user space, which derives what is missing; from then on the
 * kernel walks that stack alone.
 *
 * The loop is shaped for the verifier of old kernels, bounded and not unrolled, and for its time:
 * what is verified once for all frames is quick to load.
 */
#ifndef BPF_WALK_H
#define BPF_WALK_H

#include "bpf/rule.h"
#include "bpf/task.h"

#define MISS_RESEND_NS 10000000ULL /* and twice that, up to so many times: */
#define MISS_RESEND_TIMES 7
#define COPY_CHUNK_BYTES 1024
#define CHUNK_WORDS 128
#define CHUNK_BELOW_BYTES 64 /* where registers are saved beside a return address */
#define PAGE_BYTES 4096ULL
#define WALK_LEG_FRAMES 8
#define RECENT_IDS 64

/* rules: (address space, pc) -> rule, open addressing. Written by user space alone, through a
 * mapping; read by every walk. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1 << WIRE_RULE_TABLE_BITS);
	__type(key, __u32);
	__type(value, struct wire_rule);
} rules SEC(".maps");

/* known_stacks: stack id -> 1 once its pcs were sent. Written by walks. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u8);
} known_stacks SEC(".maps");

struct asking {
	__u64 last_ns;
	__u64 cnt;
};

/* asked: rule key -> when, and how often, user space was asked for it. Written by walks; old ones
 * are evicted, which costs a second question. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct asking);
} asked SEC(".maps");

#define EVENTS_BYTES (8 << 20)

/* events: STACK, MISS, TICK, EXIT, REMAP, BIRTH and DEATH records to user space. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, EVENTS_BYTES);
} events SEC(".maps");

const volatile bool cfg_runs = true; /* whether what threads do is kept, or only their births */

/* How to wake the reader of .events. Where only births and deaths are kept, to wake it for each
 * costs more than all the rest: it comes by itself, some twenty times a second, and is called when
 * the ring fills or when an answer is waited for. */
static __always_inline __u64 wakeup_flags(bool urgent)
{
	if (cfg_runs)
		return 0; /* when it has read everything else */
	if (urgent || bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > EVENTS_BYTES / 4)
		return BPF_RB_FORCE_WAKEUP;
	return BPF_RB_NO_WAKEUP;
}

/* Who walks: each has a scratch of its own, since one can interrupt another. */
enum walker {
	WALKER_SWITCH,
	WALKER_WAKER,
	WALKER_CLOCK,
	WALKER_BIRTH,
	WALKER_FUTEX,
	WALKER_CNT,
};

/* What a walk starts from and leaves behind. */
struct walk_scratch {
	__u64 pc, sp, fp, ra_reg;
	__u64 start_sp, start_fp;
	__u64 id;
	__u64 miss_key;
	__u64 walk_cnt;
	__u64 recent_id[RECENT_IDS];   /* some of .known_stacks, found sooner */
	__u64 chunk_addr, chunk_bytes; /* what .chunk is a copy of */
	__u64 chunk[CHUNK_WORDS];
	__u64 epoch; /* of the process's code */
	__u32 space;
	__u32 exact;
	struct wire_stack stack;
	struct wire_miss
		miss; /* with room for one chunk more than is sent, as the verifier counts */
	__u8 slack[COPY_CHUNK_BYTES];
};

/* walk_scratch: one for each walker, on each CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WALKER_CNT);
	__type(key, __u32);
	__type(value, struct walk_scratch);
} walk_scratch SEC(".maps");

/* One of so many finished walks is sent with a copy, to be walked again; 0: none. For tests. */
const volatile __u32 cfg_verify_every = 0;

__u64 drop_events = 0; /* the ring buffer was full */
__u64 drop_stacks = 0; /* known_stacks was full */

static __always_inline __u64 walk_mix(__u64 hash, __u64 x)
{
	hash = (hash ^ x) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 32);
}

static __always_inline __u64 find_rule(__u64 key)
{
	__u32 at = wire_rule_slot(key);

#pragma unroll
	for (__u32 i = 0; i < WIRE_RULE_PROBES; i++) {
		__u32 idx = (at + i) & ((1 << WIRE_RULE_TABLE_BITS) - 1);
		struct wire_rule *slot = bpf_map_lookup_elem(&rules, &idx);

		if (slot && slot->key == key)
			return slot->rule;
		if (!slot || !slot->key)
			return 0;
	}
	return 0;
}

/* Copies the target's stack around @addr into @walker's scratch: one copy serves many frames, since
 * a copy costs the same for one word as for a thousand bytes. It ends with the page, so that what
 * is wanted never fails for what is not. A global function, as walk_stack. */
__noinline int copy_chunk(__u32 walker, __u64 addr)
{
	struct walk_scratch *s = bpf_map_lookup_elem(&walk_scratch, &walker);
	__u64 start = addr - CHUNK_BELOW_BYTES;
	__u32 len;

	if (!s)
		return -1; /* cannot be */
	if ((start ^ addr) & ~(PAGE_BYTES - 1))
		start = addr & ~(PAGE_BYTES - 1);
	len = PAGE_BYTES - (start & (PAGE_BYTES - 1));
	if (len > sizeof(s->chunk))
		len = sizeof(s->chunk);
	s->chunk_bytes = 0;
	if (bpf_probe_read_user(s->chunk, len, (void *)start))
		return -1; /* the walk says so */
	s->chunk_addr = start;
	s->chunk_bytes = len;
	return 0;
}

/* Reads the word at @addr of the target's stack. */
static __always_inline int stack_word(struct walk_scratch *s, __u32 walker, __u64 addr, __u64 *ret)
{
	if (addr & 7)
		return (int)bpf_probe_read_user(ret, sizeof(*ret), (void *)addr);
	if (addr - s->chunk_addr >= s->chunk_bytes && copy_chunk(walker, addr))
		return -1;
	*ret = s->chunk[(addr - s->chunk_addr) / 8 & (CHUNK_WORDS - 1)];
	return 0;
}

/* Steps out of the frame that @s is in. Returns 0 to go on, else enum wire_end. */
static __always_inline __u32 walk_step(struct walk_scratch *s, __u32 walker)
{
	__u64 packed = s->pc | (s->exact ? WIRE_PC_EXACT : 0);
	__u64 key = wire_rule_key(s->space, s->pc, s->exact);
	__u32 i = s->stack.pc_cnt, kind, flags;
	__u64 rule, cfa, ra;
	__s64 fp_off, cfa_off;

	if (i >= WIRE_WALK_MAX)
		return WIRE_END_TOO_DEEP;
	s->stack.pc[i] = packed;
	s->stack.pc_cnt = i + 1;
	s->id = walk_mix(s->id, packed);
	if (!key)
		return WIRE_END_NO_RULE;
	rule = find_rule(key);
	if (!rule) {
		s->miss_key = key;
		return WIRE_END_MISS;
	}
	kind = rule & 0xff;
	flags = (rule >> 8) & 0xff;
	fp_off = (__s64)(__s16)(rule >> 16);
	cfa_off = (__s64)(__s32)(rule >> 32);
	/* The outermost frame of code that keeps frame pointers has none to return to. */
	if (flags & RULE_GUESS && s->fp < s->sp)
		return WIRE_END_NO_CFI;
	if (kind == RULE_SP) {
		cfa = s->sp + cfa_off;
	} else if (kind == RULE_FP) {
		cfa = s->fp + cfa_off;
	} else if (kind == RULE_END) {
		return WIRE_END_ROOT;
	} else if (kind == RULE_SP_DEREF || kind == RULE_FP_DEREF) {
		__u64 addr = (kind == RULE_SP_DEREF ? s->sp : s->fp) + cfa_off;

		if (bpf_probe_read_user(&cfa, sizeof(cfa), (void *)addr))
			return WIRE_END_UNREADABLE;
	} else if (kind == RULE_SIGFRAME) {
		__u64 sp = s->sp;

		if (bpf_probe_read_user(&s->pc, 8, (void *)(sp + ARCH_SIGFRAME_PC_OFF)) ||
		    bpf_probe_read_user(&s->fp, 8, (void *)(sp + ARCH_SIGFRAME_FP_OFF)) ||
		    bpf_probe_read_user(&s->sp, 8, (void *)(sp + ARCH_SIGFRAME_SP_OFF)))
			return WIRE_END_UNREADABLE;
		s->exact = 1;
		return 0;
	} else {
		return kind == RULE_UNMAPPED ? WIRE_END_NO_RULE : WIRE_END_NO_CFI;
	}

	if (flags & (RULE_GUESS | RULE_LEAF) && i + 1 < s->stack.guessed_idx)
		s->stack.guessed_idx = i + 1;
	if (!(flags & RULE_RA_IN_REG)) {
		if (stack_word(s, walker, cfa + ARCH_RA_CFA_OFF, &ra))
			return WIRE_END_UNREADABLE;
	} else {
		if (i)
			return WIRE_END_NO_CFI; /* only the leaf has the register's value */
		ra = s->ra_reg;
	}
	if (fp_off || flags & RULE_FP_AT_FP) {
		__u64 base = flags & RULE_FP_AT_FP ? s->fp : cfa;

		if (stack_word(s, walker, base + fp_off, &s->fp))
			return WIRE_END_UNREADABLE;
	}
	if (!ra || (cfa <= s->sp && !(flags & RULE_RA_IN_REG)))
		return WIRE_END_BAD_FRAME;
	s->pc = ra;
	s->sp = cfa;
	s->exact = 0;
	return 0;
}

/* Takes the next frames of @walker's walk. Returns 0 when there are more, else enum wire_end. A
 * global function, as walk_stack, and of few frames: the verifier goes through each of its turns
 * once, whatever the depth. */
__noinline int walk_leg(__u32 walker)
{
	struct walk_scratch *s = bpf_map_lookup_elem(&walk_scratch, &walker);

	if (!s)
		return WIRE_END_NO_RULE; /* cannot be */
#pragma clang loop unroll(disable)
	for (int i = 0; i < WALK_LEG_FRAMES; i++) {
		__u32 end = walk_step(s, walker);

		if (end)
			return (int)end;
	}
	return 0;
}

static __always_inline void send_stack(struct walk_scratch *s)
{
	struct wire_stack *stack = &s->stack;
	__u32 cnt = stack->pc_cnt;
	__u64 *recent = &s->recent_id[s->id & (RECENT_IDS - 1)];
	__u8 one = 1;

	if (*recent == s->id)
		return; /* sent before */
	if (bpf_map_lookup_elem(&known_stacks, &s->id)) {
		*recent = s->id;
		return; /* sent before */
	}
	if (bpf_map_update_elem(&known_stacks, &s->id, &one, BPF_ANY)) {
		__sync_fetch_and_add(&drop_stacks, 1);
		return;
	}
	if (cnt > WIRE_WALK_MAX)
		cnt = WIRE_WALK_MAX;
	stack->header.type = WIRE_STACK;
	stack->header.size_bytes = 40 + cnt * 8;
	stack->id = s->id;
	if (bpf_ringbuf_output(&events, stack, 40 + cnt * 8, 0)) {
		__sync_fetch_and_add(&drop_events, 1);
		bpf_map_delete_elem(&known_stacks, &s->id); /* sent again */
	}
}

/* Sends the frames of @s with a copy of the stack from @sp on. Returns 0 when it was sent. */
static __always_inline int send_copy(struct walk_scratch *s, __u32 type, __u32 tid, __u64 sp,
				     __u64 fp)
{
	struct wire_miss *miss = &s->miss;
	__u32 len = COPY_CHUNK_BYTES - (sp & (COPY_CHUNK_BYTES - 1));

	miss->tgid = s->stack.tgid;
	miss->tid = tid;
	miss->space = s->space;
	miss->pc_cnt = s->stack.pc_cnt;
	miss->guessed_idx = s->stack.guessed_idx;
	miss->id = s->id;
	miss->sp = sp;
	miss->fp = fp;
	miss->ra_reg = s->ra_reg;
	miss->epoch = s->epoch;
	__builtin_memcpy(miss->pc, s->stack.pc, sizeof(miss->pc));
	if (len < 1 || len > COPY_CHUNK_BYTES)
		return -1; /* cannot be */
	if (bpf_probe_read_user(miss->copy, len, (void *)sp)) {
		len = 0;
	} else {
#pragma clang loop unroll(disable)
		for (int i = 0; i < WIRE_MISS_COPY_BYTES / COPY_CHUNK_BYTES - 1; i++) {
			if (len > WIRE_MISS_COPY_BYTES - COPY_CHUNK_BYTES)
				break;
			if (bpf_probe_read_user(miss->copy + len, COPY_CHUNK_BYTES,
						(void *)(sp + len)))
				break;
			len += COPY_CHUNK_BYTES;
		}
	}
	if (len > WIRE_MISS_COPY_BYTES)
		return -1; /* cannot be */
	miss->copy_bytes = len;
	miss->header.type = type;
	miss->header.size_bytes = sizeof(*miss) - WIRE_MISS_COPY_BYTES + len;
	if (!bpf_ringbuf_output(&events, miss, sizeof(*miss) - WIRE_MISS_COPY_BYTES + len,
				wakeup_flags(true)))
		return 0;
	__sync_fetch_and_add(&drop_events, 1);
	return -1;
}

/* Sends what user space needs to finish the walk of @walker. Returns 0 when it was sent. A global
 * function, as walk_stack. */
__noinline int send_miss(__u32 walker, __u32 tid)
{
	struct walk_scratch *s = bpf_map_lookup_elem(&walk_scratch, &walker);
	struct asking asking = { .last_ns = bpf_ktime_get_ns() }, *last;

	if (!s)
		return -1; /* cannot be */
	last = bpf_map_lookup_elem(&asked, &s->miss_key);
	asking.cnt = last ? last->cnt + 1 : 0;
	/* Ticks of the clock are few, and stand at another pc each time; births each count. Others
	 * wait for an answer, each time twice as long: it may take a while, and fills the ring. */
	if (walker != WALKER_CLOCK && walker != WALKER_BIRTH && last &&
	    asking.last_ns - last->last_ns < MISS_RESEND_NS << (last->cnt & MISS_RESEND_TIMES))
		return -1; /* the stack's end says so, or there is none */
	if (asking.cnt > MISS_RESEND_TIMES)
		asking.cnt = MISS_RESEND_TIMES;
	bpf_map_update_elem(&asked, &s->miss_key, &asking, BPF_ANY);
	return send_copy(s, WIRE_MISS, tid, s->sp, s->fp);
}

/* Leaves the whole walk to user space, which does not know the process's code yet. Returns 0 with
 * the stack's id in the scratch when it was sent. A global function, as walk_stack. */
__noinline int leave_walk(__u32 walker, __u32 tid)
{
	struct walk_scratch *s = bpf_map_lookup_elem(&walk_scratch, &walker);

	if (!s)
		return -1; /* cannot be */
	s->id = walk_mix(walk_mix(bpf_ktime_get_ns(), tid), s->pc);
	s->miss_key = walk_mix(walk_mix(0, tid), s->pc);
	s->stack.pc[0] = s->pc | WIRE_PC_EXACT;
	s->stack.pc_cnt = 1;
	s->stack.guessed_idx = WIRE_WALK_MAX + 1;
	return send_miss(walker, tid);
}

/* Sends a finished walk to be checked. A global function, as walk_stack. */
__noinline int send_verify(__u32 walker, __u32 tid)
{
	struct walk_scratch *s = bpf_map_lookup_elem(&walk_scratch, &walker);

	return s ? send_copy(s, WIRE_VERIFY, tid, s->start_sp, s->start_fp) : -1;
}

/* Walks from the start that @walker's scratch holds. A global function: verified once for all who
 * call it. Leaves the id in the scratch; returns 0, or -1 when there is no stack to speak of. */
__noinline int walk_stack(__u32 walker, __u32 tid)
{
	struct walk_scratch *s = bpf_map_lookup_elem(&walk_scratch, &walker);
	__u32 end = 0;

	if (!s)
		return -1; /* cannot be */
	s->id = walk_mix(0, s->space);
	s->exact = 1;
	s->start_sp = s->sp;
	s->start_fp = s->fp;
	s->stack.pc_cnt = 0;
	s->stack.guessed_idx = WIRE_WALK_MAX + 1;
	s->chunk_bytes = 0; /* of another stack */
#pragma clang loop unroll(disable)
	for (int i = 0; i <= WIRE_WALK_MAX / WALK_LEG_FRAMES; i++) {
		end = (__u32)walk_leg(walker);
		if (end)
			break;
	}
	s->walk_cnt++;
	if (end == WIRE_END_MISS) {
		__u64 id = s->id;

		/* A name for this one walk: nothing else has its thread and time. */
		s->id = walk_mix(walk_mix(bpf_ktime_get_ns(), tid), id);
		if (!send_miss(walker, tid))
			return 0;
		s->id = walk_mix(id, WIRE_END_MISS);
		end = WIRE_END_UNLEARNED;
	}
	s->stack.end = end ? end : WIRE_END_TOO_DEEP;
	send_stack(s);
	if (cfg_verify_every && end == WIRE_END_ROOT && s->walk_cnt % cfg_verify_every == 0)
		send_verify(walker, tid);
	return 0;
}

#endif
