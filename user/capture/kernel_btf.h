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

/* What an object is opened and loaded with:
 *
 *   kernel_btf_prepare, open, kernel_btf_fit, load, kernel_btf_part_release
 */
struct kernel_btf_part {
	int fd; /* of a file in memory, or -1 */
	char path[32];
};

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

/* Sets what the programs of an object are opened with: @part, which has to live until they are
 * loaded. Returns 0, or -errno with @part empty. */
int kernel_btf_prepare(struct kernel_btf_part *part, struct bpf_object_open_opts *opts);

/* Fills @part with what the programs of @object, which was opened with it, need. Returns 0 or
 * -errno. */
int kernel_btf_fit(const struct kernel_btf_part *part, const struct bpf_object *object);

void kernel_btf_part_release(struct kernel_btf_part *part);

/* Frees the kernel's types, some MB, once all is loaded. They are read again when they are asked
 * for again. */
void kernel_btf_forget(void);

/* Attaches those programs of @object that libbpf does not, since it does not know which types they
 * have; adds to @links (struct bpf_link *). Returns 0 or -errno. */
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
