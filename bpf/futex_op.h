/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What a futex call does, told by its arguments: for the programs, which see every call, and for
 * user space, which sees those that lasted all the time.
 *
 *   FUTEX_CALL_ANY      futex(addr, op, value, timeout or count, addr2, value3)
 *   FUTEX_CALL_WAIT     futex_wait(addr, value, mask, flags, timeout, clock)
 *   FUTEX_CALL_WAKE     futex_wake(addr, mask, count, flags)
 *   FUTEX_CALL_REQUEUE  futex_requeue(list, flags, to wake, to move)
 *   FUTEX_CALL_WAITV    futex_waitv(list, length, flags, timeout, clock)
 */
#ifndef BPF_FUTEX_OP_H
#define BPF_FUTEX_OP_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* Values are the model's enum futex_kind: never renumbered. */
enum wire_futex_op {
	WIRE_FUTEX_NONE = 0, /* neither waits nor wakes */
	WIRE_FUTEX_WAIT = 1,
	WIRE_FUTEX_WAITV = 2, /* on any of several */
	WIRE_FUTEX_LOCK_PI = 3,
	WIRE_FUTEX_WAIT_REQUEUE_PI = 4,
	WIRE_FUTEX_WAKE = 5,
	WIRE_FUTEX_WAKE_OP = 6, /* also those of a second futex, on a condition */
	WIRE_FUTEX_UNLOCK_PI = 7,
	WIRE_FUTEX_REQUEUE = 8, /* wakes some and moves others to a second futex */
};

enum futex_call {
	FUTEX_CALL_NONE,
	FUTEX_CALL_ANY,
	FUTEX_CALL_WAIT,
	FUTEX_CALL_WAKE,
	FUTEX_CALL_REQUEUE,
	FUTEX_CALL_WAITV,
};

#define FUTEX_CALL_ARGS 4 /* the first ones, of which futex_decode makes sense */

/* FUTEX_CMD_MASK of the kernel's, FUTEX_PRIVATE_FLAG and FUTEX2_PRIVATE. */
#define FUTEX_OP_MASK (~(128 | 256))
#define FUTEX_OP_PRIVATE 128

struct futex_act {
	__u64 addr; /* of the futex; 0: in .list */
	__u64 list; /* address of struct wire_futex_waitv, the first of which counts; 0: none */
	__u32 op;   /* enum wire_futex_op; with WIRE_FUTEX_NONE nothing else is filled */
	__u32 is_shared; /* with other processes; of a list: not told here */
	__u32 wake_max;	 /* of a requeue: how many of those it counts were woken, at most */
};

/* An element of the kernel's lists of futexes (struct futex_waitv). */
struct wire_futex_waitv {
	__u64 value;
	__u64 addr;
	__u32 flags; /* FUTEX_OP_PRIVATE */
	__u32 reserved;
};

static inline __attribute__((always_inline)) int futex_op_waits(__u32 op)
{
	return op >= WIRE_FUTEX_WAIT && op <= WIRE_FUTEX_WAIT_REQUEUE_PI;
}

/* Numbers of include/uapi/linux/futex.h. FUTEX_FD (2) and FUTEX_TRYLOCK_PI (8) do neither. */
static inline __attribute__((always_inline)) __u32 futex_op_of(__u32 command)
{
	switch (command & FUTEX_OP_MASK) {
	case 0: /* FUTEX_WAIT */
	case 9: /* FUTEX_WAIT_BITSET */
		return WIRE_FUTEX_WAIT;
	case 1:	 /* FUTEX_WAKE */
	case 10: /* FUTEX_WAKE_BITSET */
		return WIRE_FUTEX_WAKE;
	case 3:	 /* FUTEX_REQUEUE */
	case 4:	 /* FUTEX_CMP_REQUEUE */
	case 12: /* FUTEX_CMP_REQUEUE_PI */
		return WIRE_FUTEX_REQUEUE;
	case 5: /* FUTEX_WAKE_OP */
		return WIRE_FUTEX_WAKE_OP;
	case 6:	 /* FUTEX_LOCK_PI */
	case 13: /* FUTEX_LOCK_PI2 */
		return WIRE_FUTEX_LOCK_PI;
	case 7: /* FUTEX_UNLOCK_PI */
		return WIRE_FUTEX_UNLOCK_PI;
	case 11: /* FUTEX_WAIT_REQUEUE_PI */
		return WIRE_FUTEX_WAIT_REQUEUE_PI;
	}
	return WIRE_FUTEX_NONE;
}

/* Fills @ret from the first FUTEX_CALL_ARGS arguments of @call at @arg. */
static inline __attribute__((always_inline)) void
futex_decode(enum futex_call call, const __u64 *arg, struct futex_act *ret)
{
	__u32 flags;

	*ret = (struct futex_act){ .op = WIRE_FUTEX_NONE };
	if (call == FUTEX_CALL_ANY) {
		flags = (__u32)arg[1];
		ret->op = futex_op_of(flags);
		ret->addr = arg[0];
		ret->wake_max = (__u32)arg[2];
	} else if (call == FUTEX_CALL_WAIT || call == FUTEX_CALL_WAKE) {
		flags = (__u32)arg[3];
		ret->op = call == FUTEX_CALL_WAIT ? WIRE_FUTEX_WAIT : WIRE_FUTEX_WAKE;
		ret->addr = arg[0];
	} else if (call == FUTEX_CALL_REQUEUE || call == FUTEX_CALL_WAITV) {
		flags = FUTEX_OP_PRIVATE;
		ret->op = call == FUTEX_CALL_WAITV ? WIRE_FUTEX_WAITV : WIRE_FUTEX_REQUEUE;
		ret->list = arg[0];
		ret->wake_max = (__u32)arg[2];
	} else {
		return;
	}
	ret->is_shared = !(flags & FUTEX_OP_PRIVATE);
}

/* Makes @act one of the futex that @element of its list tells of. */
static inline __attribute__((always_inline)) void
futex_take_element(struct futex_act *act, const struct wire_futex_waitv *element)
{
	act->addr = element->addr;
	act->is_shared = !(element->flags & FUTEX_OP_PRIVATE);
}

_Static_assert(sizeof(struct wire_futex_waitv) == 24, "wire_futex_waitv");

#endif
