/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "capture/kernel_btf.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/file.h"
#include "capture/btf_check.h"
#include "capture/btf_part.h"
#include "capture/libbpf_log.h"

#define OWN_PATH "/sys/kernel/btf/vmlinux"
#define TRACEPOINT_SECTION "tp_btf/"
#define NAME_BYTES 128

/* As libbpf's handlers of sections, which need them: of the whole process. */
static struct btf *types; /* NULL until they are asked for */
static const char *from_path;
static bool has_handlers;

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

/* Does what libbpf does by the kernel's types. It reads those for itself, and for each object anew,
 * as soon as a program has the type that these must have: so they get it here, at the last moment.
 */
static int set_target(struct bpf_program *program, struct bpf_prog_load_opts *opts, long kind)
{
	const char *name = strchr(bpf_program__section_name(program), '/');
	char type_name[NAME_BYTES];
	int id;

	if (!name)
		return -EINVAL;
	snprintf(type_name, sizeof(type_name), "%s%s", targets[kind].prefix, name + 1);
	id = btf__find_by_name_kind(types, type_name, targets[kind].btf_kind);
	if (id < 0)
		return id;
	opts->attach_btf_id = (uint32_t)id;
	return bpf_program__set_type(program, BPF_PROG_TYPE_TRACING);
}

static int handle_sections(void)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .prog_prepare_load_fn = set_target);

	if (has_handlers)
		return 0;
	for (size_t i = 0; i < TARGET_CNT; i++) {
		int id;

		opts.cookie = (long)i;
		id = libbpf_register_prog_handler(targets[i].section, BPF_PROG_TYPE_RAW_TRACEPOINT,
						  targets[i].attach, &opts);
		if (id < 0)
			return id;
	}
	has_handlers = true;
	return 0;
}

static int read_types(void)
{
	int err;

	if (types)
		return 0;
	types = btf__parse(kernel_btf_path(), NULL);
	if (!types)
		return -errno;
	/* The kernel's own need no check. */
	err = from_path ? btf_check(types) : 0;
	if (err)
		kernel_btf_forget();
	return err;
}

int kernel_btf_use(const char *path, struct err *err)
{
	int code;

	libbpf_log_start();
	from_path = path;
	code = read_types();
	if (code == -EBADMSG)
		return err_set(err, code, "the BTF in '%s' is damaged", path);
	if (code) {
		/* libbpf says ENOENT of an ELF file without the section as well, and EIO of a file
		 * that is too short. */
		if ((code == -ENOENT && !access(path, R_OK)) || code == -EIO || code == -EINVAL ||
		    code == -ENODATA || code == -EPROTO || code == -LIBBPF_ERRNO__FORMAT)
			return err_set(err, code,
				       "'%s' has no BTF: neither raw nor as .BTF of an "
				       "ELF file",
				       path);
		return err_set_errno(err, code, "cannot read BTF from '%s'", path);
	}
	return 0;
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

int kernel_btf_prepare(struct kernel_btf_part *part, struct bpf_object_open_opts *opts)
{
	int err = read_types();

	part->fd = -1;
	if (!err)
		err = handle_sections();
	if (err)
		return err;
	part->fd = file_in_memory("kernel types");
	if (part->fd < 0)
		return part->fd;
	snprintf(part->path, sizeof(part->path), "/proc/self/fd/%d", part->fd);
	opts->btf_custom_path = part->path;
	return 0;
}

int kernel_btf_fit(const struct kernel_btf_part *part, const struct bpf_object *object)
{
	struct btf *chosen = btf_part_new(types, bpf_object__btf(object));
	uint32_t len;
	/* What btf_part_new does not know, libbpf may. */
	const void *bytes = btf__raw_data(chosen ? chosen : types, &len);
	int err = bytes ? file_write_fd(part->fd, bytes, len) : -ENOMEM;

	btf__free(chosen);
	return err;
}

void kernel_btf_part_release(struct kernel_btf_part *part)
{
	if (part->fd >= 0)
		close(part->fd);
	part->fd = -1;
}

void kernel_btf_forget(void)
{
	btf__free(types);
	types = NULL;
}

int kernel_btf_attach(const struct bpf_object *object, struct vec *links)
{
	struct bpf_program *program;

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

/* Returns the name at @name_off, "" when there is none. */
static const char *name_at(uint32_t name_off)
{
	const char *name = btf__name_by_offset(types, name_off);

	return name ? name : "";
}

/* Returns the name of the type of member @member of struct @name, "" when the type has none; NULL
 * when there is no such member. */
static const char *member_type(const char *name, const char *member)
{
	int id = read_types() ? -1 : btf__find_by_name_kind(types, name, BTF_KIND_STRUCT);
	const struct btf_type *is = id < 0 ? NULL : btf__type_by_id(types, (uint32_t)id);
	const struct btf_member *members = is ? btf_members(is) : NULL;

	for (uint32_t i = 0; is && i < btf_vlen(is); i++) {
		const struct btf_type *of = btf__type_by_id(types, members[i].type);

		if (!strcmp(name_at(members[i].name_off), member))
			return of ? name_at(of->name_off) : "";
	}
	return NULL;
}

/* As member_type; whether that is there, and is @type. */
static bool member_is(const char *name, const char *member, const char *type)
{
	const char *is = member_type(name, member);

	return is && !strcmp(is, type);
}

bool kernel_btf_has_member(const char *name, const char *member)
{
	return member_type(name, member) != NULL;
}

bool kernel_btf_has_helper(const char *name)
{
	int id = read_types() ? -1 : btf__find_by_name_kind(types, "bpf_func_id", BTF_KIND_ENUM);
	const struct btf_type *is = id < 0 ? NULL : btf__type_by_id(types, (uint32_t)id);
	bool found = false;

	for (uint32_t i = 0; is && i < btf_vlen(is) && !found; i++)
		found = !strcmp(name_at(btf_enum(is)[i].name_off), name);
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
