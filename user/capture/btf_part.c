/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "capture/btf_part.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/table.h"
#include "base/vec.h"

#define TYPE_MAX (4u << 20) /* 30 times what a kernel has */
#define VOID_PTR_ID 1

struct part {
	const struct btf *from;
	struct btf *to;
	uint32_t *ids;	  /* by an id of .from: that in .to, 0 when it is not there */
	struct vec types; /* uint32_t: ids of .from, in the order of .to's, less VOID_PTR_ID */
	int err;	  /* the first one */
};

/* Returns how long @name is without its flavour: what stands after the last "___" that has other
 * characters on both sides, as libbpf has it. */
static size_t essential_len(const char *name)
{
	size_t len = strlen(name);

	for (size_t end = strstr(name, "___") ? len : 0; end > 4; end--) {
		const char *at = name + end - 5;

		if (at[0] != '_' && !strncmp(at + 1, "___", 3) && at[4] != '_')
			return end - 4;
	}
	return len;
}

static uint64_t name_key(const struct btf *btf, const struct btf_type *type)
{
	const char *name = btf__name_by_offset(btf, type->name_off);

	return name && *name ? hash_bytes(name, essential_len(name)) : 0;
}

/* Whether programs can ask for a type of this kind by its name. */
static bool is_named_kind(const struct btf_type *type)
{
	switch (btf_kind(type)) {
	case BTF_KIND_INT:
	case BTF_KIND_FLOAT:
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
	case BTF_KIND_TYPEDEF:
		return true;
	default:
		return false;
	}
}

static int collect_names(const struct btf *local, struct table *names)
{
	for (uint32_t id = 1; id < btf__type_cnt(local); id++) {
		const struct btf_type *type = btf__type_by_id(local, id);
		int err = type && is_named_kind(type) && type->name_off
				  ? table_put(names, name_key(local, type), 0)
				  : 0;

		if (err)
			return err;
	}
	return 0;
}

/* Returns the id in .to of the type @id of .from, which will be added when it was not. */
static int part_ref(struct part *part, uint32_t id)
{
	const struct btf_type *type = btf__type_by_id(part->from, id);
	uint32_t *slot;

	if (!id || !type)
		return 0;
	if (btf_is_ptr(type))
		return VOID_PTR_ID;
	if (part->ids[id])
		return (int)part->ids[id];
	slot = vec_push(&part->types);
	if (!slot) {
		part->err = -errno;
		return 0;
	}
	*slot = id;
	part->ids[id] = part->types.len + VOID_PTR_ID;
	return (int)part->ids[id];
}

static int add_members(struct part *part, const struct btf_type *type)
{
	const struct btf_member *members = btf_members(type);
	int err = 0;

	for (uint32_t i = 0; !err && i < btf_vlen(type); i++)
		err = btf__add_field(part->to, btf__name_by_offset(part->from, members[i].name_off),
				     part_ref(part, members[i].type),
				     btf_member_bit_offset(type, i),
				     btf_member_bitfield_size(type, i));
	return err;
}

static int add_values(struct part *part, const struct btf_type *type)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < btf_vlen(type); i++)
		err = btf__add_enum_value(
			part->to, btf__name_by_offset(part->from, btf_enum(type)[i].name_off),
			btf_enum(type)[i].val);
	return err;
}

static int add_values64(struct part *part, const struct btf_type *type)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < btf_vlen(type); i++)
		err = btf__add_enum64_value(
			part->to, btf__name_by_offset(part->from, btf_enum64(type)[i].name_off),
			btf_enum64_value(&btf_enum64(type)[i]));
	return err;
}

/* Adds @type, as one type. Returns its id, or -errno. */
static int add_type(struct part *part, const struct btf_type *type)
{
	const char *name = btf__name_by_offset(part->from, type->name_off);
	const struct btf_array *array;
	int id;
	int err = 0;

	switch (btf_kind(type)) {
	case BTF_KIND_INT:
		return btf__add_int(part->to, name, type->size, btf_int_encoding(type));
	case BTF_KIND_FLOAT:
		return btf__add_float(part->to, name, type->size);
	case BTF_KIND_FWD:
		return btf__add_fwd(part->to, name,
				    btf_kflag(type) ? BTF_FWD_UNION : BTF_FWD_STRUCT);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		id = btf_is_struct(type) ? btf__add_struct(part->to, name, type->size)
					 : btf__add_union(part->to, name, type->size);
		err = id < 0 ? 0 : add_members(part, type);
		break;
	case BTF_KIND_ENUM:
		id = btf__add_enum(part->to, name, type->size);
		err = id < 0 ? 0 : add_values(part, type);
		break;
	case BTF_KIND_ENUM64:
		id = btf__add_enum64(part->to, name, type->size, btf_kflag(type));
		err = id < 0 ? 0 : add_values64(part, type);
		break;
	case BTF_KIND_ARRAY:
		array = btf_array(type);
		return btf__add_array(part->to, part_ref(part, array->index_type),
				      part_ref(part, array->type), array->nelems);
	case BTF_KIND_TYPEDEF:
		return btf__add_typedef(part->to, name, part_ref(part, type->type));
	/* As they mean nothing to where a member is, one stands for all. */
	case BTF_KIND_CONST:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
		return btf__add_const(part->to, part_ref(part, type->type));
	case BTF_KIND_FUNC_PROTO:
		return btf__add_func_proto(part->to, 0);
	default:
		return -EINVAL;
	}
	return err ? err : id;
}

static void choose_types(struct part *part, const struct table *names)
{
	uint32_t value;

	for (uint32_t id = 1; id < btf__type_cnt(part->from); id++) {
		const struct btf_type *type = btf__type_by_id(part->from, id);

		if (type && is_named_kind(type) && type->name_off &&
		    table_find(names, name_key(part->from, type), &value))
			part_ref(part, id);
	}
}

/* The types refer to each other by their place in .types, so each has to get that id. */
static void add_types(struct part *part)
{
	if (btf__add_ptr(part->to, 0) != VOID_PTR_ID)
		part->err = -EINVAL;
	for (uint32_t i = 0; !part->err && i < part->types.len; i++) {
		uint32_t id = *(uint32_t *)vec_at(&part->types, i);
		int added = add_type(part, btf__type_by_id(part->from, id));

		if (!part->err && added != (int)part->ids[id])
			part->err = added < 0 ? added : -EINVAL;
	}
}

struct btf *btf_part_new(const struct btf *kernel, const struct btf *local)
{
	_cleanup_free_ uint32_t *ids = calloc(btf__type_cnt(kernel), sizeof(*ids));
	struct part part = { .from = kernel, .ids = ids };
	struct table names;

	vec_init(&part.types, sizeof(uint32_t), TYPE_MAX);
	table_init(&names, TYPE_MAX);
	part.to = ids ? btf__new_empty() : NULL;
	part.err = part.to ? collect_names(local, &names) : -ENOMEM;
	if (!part.err)
		choose_types(&part, &names);
	if (!part.err)
		add_types(&part);
	table_release(&names);
	vec_release(&part.types);
	if (!part.err)
		return part.to;
	btf__free(part.to);
	errno = -part.err;
	return NULL;
}
