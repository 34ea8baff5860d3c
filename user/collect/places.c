/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "collect/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/model.h"

/* The sp of a thread when it was seen. */
struct place_owner {
	uint64_t sp;
	uint32_t tid;
};

void places_init(struct places *places, pid_t tgid)
{
	*places = (struct places){ .tgid = tgid };
	vec_init(&places->owners, sizeof(struct place_owner), MODEL_THREAD_MAX);
}

void places_release(struct places *places)
{
	vec_release(&places->owners);
}

void places_add(struct places *places, uint32_t tid, uint64_t sp)
{
	struct place_owner owner = { .sp = sp, .tid = tid };

	if (!sp)
		return;
	vec_append(&places->owners, &owner, 1);
	places->sorted = false;
}

static int compare_owners(const void *a, const void *b)
{
	const struct place_owner *x = a, *y = b;

	return (x->sp > y->sp) - (x->sp < y->sp);
}

static void sort_owners(struct places *places)
{
	if (!places->sorted && places->owners.len)
		qsort(places->owners.data, places->owners.len, sizeof(struct place_owner),
		      compare_owners);
	places->sorted = true;
}

static bool is_alive(const struct places *places, uint32_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%u", places->tgid, tid);
	return !access(path, F_OK);
}

/* Returns the thread whose stack, within @mapping, @addr is on: the one with the nearest sp below
 * it. 0 when there is none. */
static uint32_t stack_owner(struct places *places, const struct mapping *mapping, uint64_t addr)
{
	const struct place_owner *found = NULL;
	uint32_t low = 0, high = places->owners.len;

	sort_owners(places);
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const struct place_owner *owner = vec_at(&places->owners, mid);

		if (owner->sp > addr) {
			high = mid;
		} else {
			found = owner;
			low = mid + 1;
		}
	}
	/* A stack of a thread that has ended can be another's by now. */
	return found && found->sp >= mapping->start_addr && is_alive(places, found->tid)
		       ? found->tid
		       : 0;
}

void places_name(struct places *places, const struct maps *maps, uint64_t addr, char *text,
		 size_t len)
{
	const struct mapping *mapping = maps_find(maps, addr);
	const char *path = mapping ? maps_path(maps, mapping) : "";
	uint32_t tid;

	text[0] = '\0';
	if (!mapping)
		return;
	tid = mapping->inode ? 0 : stack_owner(places, mapping, addr);
	if (!strcmp(path, "[heap]"))
		snprintf(text, len, "heap");
	else if (tid)
		snprintf(text, len, "stack of thread %u", tid);
	else
		snprintf(text, len, "%s", path[0] ? path : "anonymous memory");
}
