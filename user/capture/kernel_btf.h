/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The types of the running kernel, by which programs are fitted to it: from /sys/kernel/btf, or
 * from a file where that cannot be seen. The kernel itself must have them in any case.
 */
#ifndef CAPTURE_KERNEL_BTF_H
#define CAPTURE_KERNEL_BTF_H

#include <stdbool.h>

#include "base/err.h"
#include "base/vec.h"

struct bpf_object;
struct bpf_object_open_opts;

/* Takes the types from file @path, raw or the .BTF of an ELF file, for all that this process loads
 * from now on; at most once. Returns 0, or -errno with @err set. */
int kernel_btf_use(const char *path, struct err *err);

/* Checks that there are types to fit programs by. Returns 0, or -ENOENT with @err naming the
 * remedy.
 */
int kernel_btf_require(struct err *err);

/* Returns the file that types are taken from. */
const char *kernel_btf_path(void);

/* Returns what to add to an error of loading: a doubt about the file, or nothing. */
const char *kernel_btf_doubt(void);

/* Sets what the programs of an object are opened with. */
void kernel_btf_fill(struct bpf_object_open_opts *opts);

/* Attaches those programs of @object that libbpf does not, since it does not know their types when
 * they are from a file; adds to @links (struct bpf_link *). Returns 0 or -errno. */
int kernel_btf_attach(const struct bpf_object *object, struct vec *links);

/* Whether the kernel's struct @name has a member @member, other than in a struct without a name. */
bool kernel_btf_has_member(const char *name, const char *member);

/* Whether the kernel has the helper of programs that is called @name (BPF_FUNC_...). */
bool kernel_btf_has_helper(const char *name);

/* Whether the kernel was built with PREEMPT_RT. */
bool kernel_btf_is_rt(void);

/* Whether programs can use ring buffers without harm: with PREEMPT_RT, the lock of one could sleep
 * where no one may until 8b62645b09f8 ("bpf: Use raw_spinlock_t in ringbuf", 6.12). */
bool kernel_btf_ring_is_safe(void);

#endif
