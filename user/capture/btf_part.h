/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The part of the kernel's types that programs are fitted by.
 *
 * For each type that a program names, libbpf looks through all of the kernel's for those of that
 * name: 130,000 types, some thirty times. That was nine tenths of what a dump's own code did. Here
 * one look finds them all, and libbpf gets what it needs of them and no more.
 */
#ifndef CAPTURE_BTF_PART_H
#define CAPTURE_BTF_PART_H

#include <bpf/btf.h>

/* Returns the types of @kernel that have the name of one of @local's, but for what stands after
 * "___", and what is in them; what they point to is void. To be freed with btf__free. Returns NULL
 * with errno set: ENOMEM, or EINVAL when @kernel is no sound BTF. */
struct btf *btf_part_new(const struct btf *kernel, const struct btf *local);

#endif
