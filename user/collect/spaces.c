/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "collect/spaces.h"

#include "base/clock.h"

#define SPACE_MAX 65535 /* 16 bits of a rule's key */

/* A process can change its code for ever, with so many mappings that its map is never read before
 * it has changed again. It gets so much time at once, and half of all there is. */
#define READ_AT_ONCE_NS (500 * 1000 * 1000ULL)
#define KEPT_MAX_BYTES (256ULL << 20)

void spaces_init(struct spaces *spaces, struct recorder *recorder)
{
	spaces->recorder = recorder;
	vec_init(&spaces->list, sizeof(struct target *), SPACE_MAX);
	table_init(&spaces->by_signature, SPACE_MAX);
	table_init(&spaces->guesses, 1u << 20);
	table_init(&spaces->by_tgid, 1u << 20);
	table_init(&spaces->epoch_by_tgid, 1u << 20);
	table_init(&spaces->spent_by_tgid, 1u << 20);
	spaces->start_ns = clock_mono_ns();
}

void spaces_release(struct spaces *spaces)
{
	for (uint32_t i = 0; i < spaces->list.len; i++)
		target_free(*(struct target **)vec_at(&spaces->list, i));
	vec_release(&spaces->list);
	table_release(&spaces->by_signature);
	table_release(&spaces->guesses);
	table_release(&spaces->by_tgid);
	table_release(&spaces->epoch_by_tgid);
	table_release(&spaces->spent_by_tgid);
}

/* Equal for processes in which every pc means the same code. */
static uint64_t maps_signature(const struct maps *maps)
{
	uint64_t hash = 0;

	for (uint32_t i = 0; i < maps->mappings.len; i++) {
		const struct mapping *mapping = vec_at(&maps->mappings, i);

		if (!mapping->executable)
			continue;
		hash = hash_mix(hash_mix(hash, mapping->start_addr), mapping->end_addr);
		hash = hash_mix(hash_mix(hash, mapping->file_off), mapping->inode);
		hash = hash_mix(hash, (uint64_t)mapping->dev_major << 32 | mapping->dev_minor);
	}
	return hash;
}

/* Tells the kernel what code a space has, so that it can tell what is new. */
static void put_code(struct spaces *spaces, uint32_t number, const struct maps *maps)
{
	for (uint32_t i = 0; i < maps->mappings.len; i++) {
		const struct mapping *mapping = vec_at(&maps->mappings, i);
		uint64_t dev = (uint64_t)mapping->dev_major << 20 | mapping->dev_minor;

		if (mapping->executable && mapping->inode)
			recorder_put_code(spaces->recorder, number,
					  wire_code_id(mapping->inode, dev,
						       mapping->start_addr - mapping->file_off));
	}
}

/* Whether reading the maps of @tgid has taken more time than a process may cost until @now_ns. */
static bool has_overspent(const struct spaces *spaces, uint32_t tgid, uint64_t now_ns)
{
	uint32_t spent_us;

	return table_find(&spaces->spent_by_tgid, tgid, &spent_us) &&
	       spent_us * 1000ULL > READ_AT_ONCE_NS + (now_ns - spaces->start_ns) / 2;
}

static void note_spent(struct spaces *spaces, uint32_t tgid, uint64_t ns)
{
	uint32_t before_us = 0;
	uint64_t us;

	table_find(&spaces->spent_by_tgid, tgid, &before_us);
	us = before_us + ns / 1000;
	table_put(&spaces->spent_by_tgid, tgid, us < UINT32_MAX ? (uint32_t)us : UINT32_MAX);
}

static uint64_t map_bytes(const struct target *target)
{
	return target->maps.text.len + target->maps.mappings.len * sizeof(struct mapping);
}

uint32_t spaces_number(struct spaces *spaces, uint32_t tgid, uint64_t exec_pages)
{
	struct wire_task task = {
		.tgid = tgid, .tid = tgid, .flags = WIRE_HAS_REGS, .exec_pages = exec_pages
	};
	uint64_t epoch = recorder_epoch(spaces->recorder), now_ns = clock_mono_ns();
	struct target *target;
	uint64_t signature;
	uint32_t idx;

	if (has_overspent(spaces, tgid, now_ns)) {
		spaces->refused_cnt++;
		if (!table_find(&spaces->by_tgid, tgid, &idx))
			idx = 0;
		recorder_ask_again(spaces->recorder, tgid, idx);
		return 0;
	}
	target = target_new(&task);
	note_spent(spaces, tgid, clock_mono_ns() - now_ns);
	if (!target || !target->unwinder)
		goto forget;
	signature = maps_signature(&target->maps);
	if (table_find(&spaces->by_signature, signature, &idx)) {
		struct target **have = vec_at(&spaces->list, idx);

		if (*have) {
			target_free(target);
		} else {
			*have = target;
			spaces->kept_bytes += map_bytes(target);
		}
	} else {
		idx = spaces->list.len;
		if (spaces->kept_bytes > KEPT_MAX_BYTES || vec_append(&spaces->list, &target, 1)) {
			spaces->refused_cnt++;
			goto forget;
		}
		if (table_put(&spaces->by_signature, signature, idx)) {
			spaces->list.len--;
			goto forget;
		}
		spaces->kept_bytes += map_bytes(target);
		put_code(spaces, idx + 1, &target->maps);
	}
	table_put(&spaces->by_tgid, tgid, idx + 1);
	table_put(&spaces->epoch_by_tgid, tgid, (uint32_t)epoch);
	recorder_put_space(spaces->recorder, tgid, idx + 1, exec_pages, epoch);
	return idx + 1;
forget:
	target_free(target);
	return 0;
}

uint32_t spaces_find(const struct spaces *spaces, const struct maps *maps)
{
	uint32_t idx;

	return table_find(&spaces->by_signature, maps_signature(maps), &idx) &&
			       *(struct target **)vec_at(&spaces->list, idx)
		       ? idx + 1
		       : 0;
}

void spaces_drop(struct spaces *spaces, uint32_t number)
{
	struct target **target = vec_at(&spaces->list, number - 1);

	if (!*target)
		return;
	spaces->kept_bytes -= map_bytes(*target);
	target_free(*target);
	*target = NULL;
}

void spaces_inherit(struct spaces *spaces, uint32_t parent_tgid, uint32_t tgid)
{
	uint32_t number, epoch;

	if (tgid == parent_tgid || !table_find(&spaces->by_tgid, parent_tgid, &number) ||
	    !table_find(&spaces->epoch_by_tgid, parent_tgid, &epoch))
		return;
	table_put(&spaces->by_tgid, tgid, number);
	table_put(&spaces->epoch_by_tgid, tgid, epoch);
}

struct target *spaces_target(const struct spaces *spaces, uint32_t number)
{
	return number && number <= spaces->list.len
		       ? *(struct target **)vec_at(&spaces->list, number - 1)
		       : NULL;
}

struct target *spaces_target_of(const struct spaces *spaces, uint32_t tgid)
{
	uint32_t number;

	return table_find(&spaces->by_tgid, tgid, &number) ? spaces_target(spaces, number) : NULL;
}

/* Whether the frame pointer led on from frame @i of @walk, or did so once: user space has checked
 * what it led to, the kernel will only follow it to where rules are. */
static bool guess_holds(struct spaces *spaces, uint32_t number, const struct walk *walk, uint32_t i)
{
	uint64_t key = hash_mix(hash_mix(number, walk->pc[i]), walk->exact[i]);
	uint32_t known;

	if (table_find(&spaces->guesses, key, &known))
		return true;
	return i + 1 < walk->pc_cnt && !table_put(&spaces->guesses, key, 1);
}

/* Teaches the kernel the rules of the frames of @walk from @from on. */
static void teach(struct spaces *spaces, uint32_t number, const struct walk *walk, uint32_t from)
{
	struct target *target = spaces_target(spaces, number);

	if (!target)
		return;
	for (uint32_t i = from; i < walk->pc_cnt; i++) {
		struct rule rule = unwinder_rule(target->unwinder, walk->pc[i], walk->exact[i]);

		if (rule.flags & RULE_GUESS && !guess_holds(spaces, number, walk, i))
			rule = (struct rule){ .kind = RULE_COMPLEX };
		recorder_put_rule(spaces->recorder, number, walk->pc[i], walk->exact[i], rule);
	}
}

/* Opens the files that @walk leads through. */
static void open_files(struct spaces *spaces, uint32_t number, const struct walk *walk)
{
	struct target *target = spaces_target(spaces, number);

	for (uint32_t i = 0; target && i < walk->pc_cnt; i++)
		modules_find(target->modules,
			     walk->exact[i] || !walk->pc[i] ? walk->pc[i] : walk->pc[i] - 1);
}

static void teach_all(struct spaces *spaces, uint32_t number, const struct walk *walk)
{
	teach(spaces, number, walk, 0);
}

/* Has @visit see every stack of @snapshot whose space is known. */
static void visit_stacks(struct spaces *spaces, const struct snapshot *snapshot,
			 void (*visit)(struct spaces *spaces, uint32_t number,
				       const struct walk *walk))
{
	struct table visited; /* stacks, by index: threads share them */
	uint32_t number, one;

	table_init(&visited, 1u << 20);
	for (uint32_t i = 0; i < snapshot->entries.len; i++) {
		const struct entry *entry = vec_at(&snapshot->entries, i);
		const struct target *target = snapshot_target(snapshot, entry->target);

		if (entry->stack == STACKSET_NONE || table_find(&visited, entry->stack, &one) ||
		    !table_find(&spaces->by_tgid, target->tgid, &number))
			continue;
		table_put(&visited, entry->stack, 1);
		stackset_walk(&snapshot->stacks, entry->stack, &spaces->walk);
		visit(spaces, number, &spaces->walk);
	}
	table_release(&visited);
}

void spaces_teach_snapshot(struct spaces *spaces, const struct snapshot *snapshot)
{
	visit_stacks(spaces, snapshot, teach_all);
}

void spaces_open_snapshot(struct spaces *spaces, const struct snapshot *snapshot)
{
	visit_stacks(spaces, snapshot, open_files);
}

/* Returns the number of the space that @miss was in, 0 when it is not known. */
static uint32_t space_of_miss(const struct spaces *spaces, const struct wire_miss *miss)
{
	uint32_t number, read_epoch;

	if (miss->space)
		return miss->space;
	/* The kernel asked before it sent this. A map that was read since then holds for what was
	 * before it too if nothing changed meanwhile. */
	if (!table_find(&spaces->by_tgid, miss->tgid, &number) ||
	    !table_find(&spaces->epoch_by_tgid, miss->tgid, &read_epoch) ||
	    read_epoch < miss->epoch ||
	    recorder_epoch_of(spaces->recorder, miss->tgid) > miss->epoch)
		return 0;
	return number;
}

const struct walk *spaces_finish_walk(struct spaces *spaces, const struct wire_miss *miss,
				      uint32_t *ret_number)
{
	uint32_t number = space_of_miss(spaces, miss);
	struct target *target = spaces_target(spaces, number);
	struct walk *walk = &spaces->walk;
	uint32_t have = miss->pc_cnt - 1;
	uint64_t pc = miss->pc[have];
	struct walk_cursor cursor = { .pc = pc & ~WIRE_PC_EXACT,
				      .sp = miss->sp,
				      .fp = miss->fp,
				      .ra_reg = miss->ra_reg,
				      .exact = pc & WIRE_PC_EXACT };

	if (!target)
		return NULL;
	*ret_number = number;
	walk->pc_cnt = have;
	walk->quality = miss->guessed_idx <= have ? STACK_GUESSED : STACK_COMPLETE;
	walk->guessed_idx = (uint16_t)(miss->guessed_idx <= have ? miss->guessed_idx : 0);
	for (uint32_t i = 0; i < have; i++) {
		walk->pc[i] = miss->pc[i] & ~WIRE_PC_EXACT;
		walk->exact[i] = miss->pc[i] & WIRE_PC_EXACT;
	}
	stack_memory_init_copy(&spaces->memory, miss->sp, miss->copy, miss->copy_bytes);
	unwinder_resume(target->unwinder, &cursor, &spaces->memory, walk);
	teach(spaces, number, walk, have);
	return walk;
}

int spaces_verify(struct spaces *spaces, const struct wire_miss *miss)
{
	struct target *target = spaces_target(spaces, miss->space);
	struct walk *walk = &spaces->walk;
	struct walk_cursor cursor = { .pc = miss->pc[0] & ~WIRE_PC_EXACT,
				      .sp = miss->sp,
				      .fp = miss->fp,
				      .ra_reg = miss->ra_reg,
				      .exact = true };

	if (!target)
		return -1;
	walk->pc_cnt = 0;
	walk->quality = STACK_COMPLETE;
	walk->guessed_idx = 0;
	stack_memory_init_copy(&spaces->memory, miss->sp, miss->copy, miss->copy_bytes);
	unwinder_resume(target->unwinder, &cursor, &spaces->memory, walk);
	if (walk->end == STACK_END_COPY_SHORT)
		return -1;
	if (walk->end != STACK_END_ROOT || walk->pc_cnt != miss->pc_cnt)
		return 0;
	for (uint32_t i = 0; i < walk->pc_cnt; i++)
		if ((walk->pc[i] | (walk->exact[i] ? WIRE_PC_EXACT : 0)) != miss->pc[i])
			return 0;
	return 1;
}
