/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "capture/btf_check.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define DEPTH_MAX 128 /* of types in types */
#define PARTS_MAX (1u << 24)
#define IS_OPEN UINT32_MAX /* its parts are being counted, or have no end */

struct parts {
	const struct btf *btf;
	uint32_t *cnts; /* by id: the types that it is made of, with itself; 0 when not known yet */
};

static bool has_name(const struct btf *btf, uint32_t name_off)
{
	return btf__name_by_offset(btf, name_off) != NULL;
}

static bool has_type(const struct btf *btf, uint32_t id)
{
	return id < btf__type_cnt(btf);
}

static bool members_are_sound(const struct btf *btf, const struct btf_type *type)
{
	const struct btf_member *members = btf_members(type);

	for (uint32_t i = 0; i < btf_vlen(type); i++)
		if (!has_name(btf, members[i].name_off) || !has_type(btf, members[i].type))
			return false;
	return true;
}

static bool params_are_sound(const struct btf *btf, const struct btf_type *type)
{
	const struct btf_param *params = btf_params(type);

	for (uint32_t i = 0; i < btf_vlen(type); i++)
		if (!has_name(btf, params[i].name_off) || !has_type(btf, params[i].type))
			return false;
	return has_type(btf, type->type);
}

static bool values_are_sound(const struct btf *btf, const struct btf_type *type)
{
	for (uint32_t i = 0; i < btf_vlen(type); i++)
		if (!has_name(btf, btf_is_enum64(type) ? btf_enum64(type)[i].name_off
						       : btf_enum(type)[i].name_off))
			return false;
	return true;
}

static bool variables_are_sound(const struct btf *btf, const struct btf_type *type)
{
	for (uint32_t i = 0; i < btf_vlen(type); i++)
		if (!has_type(btf, btf_var_secinfos(type)[i].type))
			return false;
	return true;
}

static bool is_sound(const struct btf *btf, const struct btf_type *type)
{
	if (!has_name(btf, type->name_off))
		return false;
	switch (btf_kind(type)) {
	case BTF_KIND_INT:
	case BTF_KIND_FLOAT:
	case BTF_KIND_FWD:
		return true;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return members_are_sound(btf, type);
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return values_are_sound(btf, type);
	case BTF_KIND_ARRAY:
		return has_type(btf, btf_array(type)->type) &&
		       has_type(btf, btf_array(type)->index_type);
	case BTF_KIND_FUNC_PROTO:
		return params_are_sound(btf, type);
	case BTF_KIND_DATASEC:
		return variables_are_sound(btf, type);
	default: /* what refers to one type */
		return has_type(btf, type->type);
	}
}

static uint32_t count_parts(struct parts *parts, uint32_t id, uint32_t depth);

/* What @type is made of, less itself. Returns as count_parts. */
static uint32_t count_inner(struct parts *parts, const struct btf_type *type, uint32_t depth)
{
	uint32_t cnt = 0;

	if (btf_is_mod(type) || btf_is_typedef(type) || btf_is_type_tag(type))
		return count_parts(parts, type->type, depth);
	if (btf_is_array(type))
		return count_parts(parts, btf_array(type)->type, depth);
	for (uint32_t i = 0; btf_is_composite(type) && i < btf_vlen(type); i++) {
		uint32_t part = count_parts(parts, btf_members(type)[i].type, depth);

		if (part > PARTS_MAX - cnt)
			return IS_OPEN;
		cnt += part;
	}
	return cnt;
}

/* Returns how many types @id is made of, with itself; IS_OPEN when there are too many, or no end.
 */
static uint32_t count_parts(struct parts *parts, uint32_t id, uint32_t depth)
{
	uint32_t cnt;

	if (!id)
		return 1; /* void */
	if (!parts->cnts[id]) {
		parts->cnts[id] = IS_OPEN;
		cnt = depth < DEPTH_MAX
			      ? count_inner(parts, btf__type_by_id(parts->btf, id), depth + 1)
			      : IS_OPEN;
		parts->cnts[id] = cnt < PARTS_MAX ? cnt + 1 : IS_OPEN;
	}
	return parts->cnts[id];
}

int btf_check(const struct btf *btf)
{
	_cleanup_free_ uint32_t *cnts = calloc(btf__type_cnt(btf), sizeof(*cnts));
	struct parts parts = { .btf = btf, .cnts = cnts };

	if (!cnts)
		return -ENOMEM;
	for (uint32_t id = 1; id < btf__type_cnt(btf); id++)
		if (!is_sound(btf, btf__type_by_id(btf, id)))
			return -EBADMSG;
	for (uint32_t id = 1; id < btf__type_cnt(btf); id++)
		if (count_parts(&parts, id, 0) == IS_OPEN)
			return -EBADMSG;
	return 0;
}
