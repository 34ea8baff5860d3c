/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "capture/shown.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/vec.h"

#define MAP_MAX 1024 /* of other loiters */

struct shown {
	struct vec births; /* int: descriptors of maps */
	struct vec stacks;
};

static void close_all(struct vec *fds)
{
	for (uint32_t i = 0; i < fds->len; i++)
		close(*(int *)vec_at(fds, i));
	vec_release(fds);
}

void shown_close(struct shown *shown)
{
	if (!shown)
		return;
	close_all(&shown->births);
	close_all(&shown->stacks);
	free(shown);
}

static bool is_map(const struct bpf_map_info *info, const char *name, size_t key_bytes,
		   size_t value_bytes)
{
	return !strncmp(info->name, name, sizeof(info->name)) && info->type == BPF_MAP_TYPE_HASH &&
	       info->key_size == key_bytes && info->value_size == value_bytes;
}

/* Keeps the map of @fd when it is one of ours. Returns whether it did. */
static bool keep(struct shown *shown, int fd)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return false;
	if (is_map(&info, WIRE_BIRTHS_MAP, sizeof(uint32_t), sizeof(struct wire_birth)))
		return !vec_append(&shown->births, &fd, 1);
	if (is_map(&info, WIRE_BIRTH_STACKS_MAP, sizeof(uint64_t), sizeof(struct wire_birth_stack)))
		return !vec_append(&shown->stacks, &fd, 1);
	return false;
}

struct shown *shown_open(void)
{
	struct shown *shown = calloc(1, sizeof(*shown));
	uint32_t id = 0;

	if (!shown)
		return NULL;
	vec_init(&shown->births, sizeof(int), MAP_MAX);
	vec_init(&shown->stacks, sizeof(int), MAP_MAX);
	while (!bpf_map_get_next_id(id, &id)) {
		int fd = bpf_map_get_fd_by_id(id);

		if (fd >= 0 && !keep(shown, fd))
			close(fd);
	}
	if (shown->births.len)
		return shown;
	shown_close(shown);
	return NULL;
}

bool shown_birth(const struct shown *shown, uint32_t tid, uint64_t start_ns, struct wire_birth *ret)
{
	for (uint32_t i = 0; i < shown->births.len; i++) {
		int fd = *(int *)vec_at(&shown->births, i);

		if (bpf_map_lookup_elem(fd, &tid, ret) || ret->tid != tid ||
		    ret->start_ns != start_ns)
			continue;
		ret->creator_comm[sizeof(ret->creator_comm) - 1] = '\0';
		return true;
	}
	return false;
}

bool shown_stack(const struct shown *shown, uint64_t id, struct wire_birth_stack *ret)
{
	for (uint32_t i = 0; i < shown->stacks.len; i++) {
		int fd = *(int *)vec_at(&shown->stacks, i);

		if (!bpf_map_lookup_elem(fd, &id, ret) && ret->pc_cnt &&
		    ret->pc_cnt <= WIRE_WALK_MAX && ret->end >= WIRE_END_ROOT &&
		    ret->end <= WIRE_END_UNLEARNED)
			return true;
	}
	return false;
}
