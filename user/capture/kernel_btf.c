/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "capture/kernel_btf.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/caps.h"
#include "capture/libbpf_log.h"

#define OWN_PATH "/sys/kernel/btf/vmlinux"
#define TRACEPOINT_SECTION "tp_btf/"
#define NAME_BYTES 128

/* As libbpf's handlers of sections, which need it: of the whole process, until it ends. */
static struct btf *from_file;
static const char *from_path;

/* How the kernel's types name what a program is attached to, by the kind of its section. */
enum target_kind { TARGET_TRACEPOINT, TARGET_ITERATOR };

static const struct {
	const char *section;
	enum bpf_attach_type attach;
	const char *prefix;
	uint32_t btf_kind;
} targets[] = {
	[TARGET_TRACEPOINT] = { "tp_btf+", BPF_TRACE_RAW_TP, "btf_trace_", BTF_KIND_TYPEDEF },
	[TARGET_ITERATOR] = { "iter+", BPF_TRACE_ITER, "bpf_iter_", BTF_KIND_FUNC },
};
#define TARGET_CNT (sizeof(targets) / sizeof(targets[0]))

/* Does what libbpf does by the kernel's own types. It looks for those as soon as a program has the
 * type that these must have, so they get it here, at the last moment. */
static int set_target(struct bpf_program *program, struct bpf_prog_load_opts *opts, long kind)
{
	const char *name = strchr(bpf_program__section_name(program), '/');
	char type_name[NAME_BYTES];
	int id;

	if (!name)
		return -EINVAL;
	snprintf(type_name, sizeof(type_name), "%s%s", targets[kind].prefix, name + 1);
	id = btf__find_by_name_kind(from_file, type_name, targets[kind].btf_kind);
	if (id < 0)
		return id;
	opts->attach_btf_id = (uint32_t)id;
	return bpf_program__set_type(program, BPF_PROG_TYPE_TRACING);
}

static int handle_sections(void)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .prog_prepare_load_fn = set_target);

	for (size_t i = 0; i < TARGET_CNT; i++) {
		int id;

		opts.cookie = (long)i;
		id = libbpf_register_prog_handler(targets[i].section, BPF_PROG_TYPE_RAW_TRACEPOINT,
						  targets[i].attach, &opts);
		if (id < 0)
			return id;
	}
	return 0;
}

int kernel_btf_use(const char *path, struct err *err)
{
	int code;

	libbpf_log_start();
	from_file = btf__parse(path, NULL);
	if (!from_file) {
		/* libbpf says ENOENT of an ELF file without the section as well, and EIO of a file
		 * that is too short. */
		code = -errno;
		if ((code == -ENOENT && !access(path, R_OK)) || code == -EIO || code == -EINVAL ||
		    code == -ENODATA || code == -EPROTO || code == -LIBBPF_ERRNO__FORMAT)
			return err_set(err, code,
				       "'%s' has no BTF: neither raw nor as .BTF of an "
				       "ELF file",
				       path);
		return err_set_errno(err, code, "cannot read BTF from '%s'", path);
	}
	from_path = path;
	code = handle_sections();
	return code ? err_set_errno(err, code, "cannot use the BTF of '%s'", path) : 0;
}

int kernel_btf_require(struct err *err)
{
	if (from_path || !access(OWN_PATH, R_OK))
		return 0;
	return err_set(err, -ENOENT,
		       "kernel has no BTF: '%s': %s; needs a kernel built with "
		       "CONFIG_DEBUG_INFO_BTF=y; where that is only hidden, as in a container "
		       "without /sys, name a copy of the file with --btf FILE",
		       OWN_PATH, strerror(errno));
}

const char *kernel_btf_path(void)
{
	return from_path ? from_path : OWN_PATH;
}

void kernel_btf_fill(struct bpf_object_open_opts *opts)
{
	opts->btf_custom_path = from_path;
	/* For a type that this kernel does not have, libbpf looks through those of all modules,
	 * which only CAP_SYS_ADMIN may; not when it is given a file. */
	if (!from_path && !caps_have(CAP_SYS_ADMIN))
		opts->btf_custom_path = OWN_PATH;
}

int kernel_btf_attach(const struct bpf_object *object, struct vec *links)
{
	struct bpf_program *program;

	if (!from_path)
		return 0;
	bpf_object__for_each_program(program, object)
	{
		struct bpf_link **slot;

		if (!bpf_program__autoload(program) ||
		    strncmp(bpf_program__section_name(program), TRACEPOINT_SECTION,
			    strlen(TRACEPOINT_SECTION)))
			continue;
		slot = vec_push(links);
		if (!slot)
			return -errno;
		*slot = bpf_program__attach_trace(program);
		if (!*slot) {
			int err = -errno;

			links->len--;
			return err;
		}
	}
	return 0;
}

const char *kernel_btf_doubt(void)
{
	return from_path ? "; is the file of --btf that of this very kernel?" : "";
}

/* Returns the name of the type of member @member of struct @name, "" when the type has none; NULL
 * when there is no such member. */
static const char *member_type(const struct btf *btf, const char *name, const char *member)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);
	const struct btf_type *is = id < 0 ? NULL : btf__type_by_id(btf, (uint32_t)id);
	const struct btf_member *members = is ? btf_members(is) : NULL;

	for (uint32_t i = 0; is && i < btf_vlen(is); i++) {
		const struct btf_type *of = btf__type_by_id(btf, members[i].type);

		if (!strcmp(btf__name_by_offset(btf, members[i].name_off), member))
			return of ? btf__name_by_offset(btf, of->name_off) : "";
	}
	return NULL;
}

/* As member_type; whether that is there, and is @type unless that is NULL. Reads the types anew,
 * which takes some milliseconds. */
static bool member_is(const char *name, const char *member, const char *type)
{
	struct btf *btf = from_file ? from_file : btf__parse(OWN_PATH, NULL);
	const char *is = btf ? member_type(btf, name, member) : NULL;
	bool fits = is && (!type || !strcmp(is, type));

	if (btf != from_file)
		btf__free(btf);
	return fits;
}

bool kernel_btf_has_member(const char *name, const char *member)
{
	return member_is(name, member, NULL);
}

bool kernel_btf_has_helper(const char *name)
{
	struct btf *btf = from_file ? from_file : btf__parse(OWN_PATH, NULL);
	int id = btf ? btf__find_by_name_kind(btf, "bpf_func_id", BTF_KIND_ENUM) : -ENOENT;
	const struct btf_type *is = id < 0 ? NULL : btf__type_by_id(btf, (uint32_t)id);
	bool found = false;

	for (uint32_t i = 0; is && i < btf_vlen(is) && !found; i++)
		found = !strcmp(btf__name_by_offset(btf, btf_enum(is)[i].name_off), name);
	if (btf != from_file)
		btf__free(btf);
	return found;
}

bool kernel_btf_is_rt(void)
{
	struct utsname name;

	/* The second is how it was spelled before it came to the mainline. */
	return !uname(&name) &&
	       (strstr(name.version, "PREEMPT_RT") || strstr(name.version, "PREEMPT RT"));
}

bool kernel_btf_ring_is_safe(void)
{
	return !kernel_btf_is_rt() || member_is("bpf_ringbuf", "spinlock", "raw_spinlock_t") ||
	       member_is("bpf_ringbuf", "spinlock", "rqspinlock_t");
}
