/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Whether the types of a file can be worked with. libbpf 1.1 checks that they lie within the file,
 * and then takes them as they come: it compares names that are not there, and never gets to the end
 * of a typedef of itself.
 */
#ifndef CAPTURE_BTF_CHECK_H
#define CAPTURE_BTF_CHECK_H

#include <bpf/btf.h>

/* Checks that each name and type that @btf refers to is there, and that none of its types is made
 * of itself, or of more than any kernel's. Returns 0, -EBADMSG or -ENOMEM. */
int btf_check(const struct btf *btf);

#endif
