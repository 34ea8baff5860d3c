/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "wire/event.h"

#include <stdbool.h>
#include <string.h>

/* What a record's header alone has to fulfil; the counts in its body are checked afterwards. */
static const struct {
	size_t min_bytes;
	size_t max_bytes;
} size_of_type[] = {
	[WIRE_TASK] = { sizeof(struct wire_task), sizeof(struct wire_task) },
	[WIRE_KSTACK] = { offsetof(struct wire_kstack, pc), sizeof(struct wire_kstack) },
	[WIRE_SAMPLE] = { offsetof(struct wire_sample, copy), sizeof(struct wire_sample) },
	[WIRE_STACK] = { offsetof(struct wire_stack, pc), sizeof(struct wire_stack) },
	[WIRE_MISS] = { offsetof(struct wire_miss, copy), sizeof(struct wire_miss) },
	[WIRE_VERIFY] = { offsetof(struct wire_miss, copy), sizeof(struct wire_miss) },
	[WIRE_TICK] = { sizeof(struct wire_tick), sizeof(struct wire_tick) },
	[WIRE_EXIT] = { sizeof(struct wire_exit), sizeof(struct wire_exit) },
	[WIRE_REMAP] = { sizeof(struct wire_remap), sizeof(struct wire_remap) },
	[WIRE_BIRTH] = { sizeof(struct wire_birth), sizeof(struct wire_birth) },
	[WIRE_DEATH] = { sizeof(struct wire_death), sizeof(struct wire_death) },
};

_Static_assert(sizeof(struct wire_sample) <= WIRE_RECORD_MAX_BYTES, "WIRE_RECORD_MAX_BYTES");

static bool type_is_known(uint32_t type)
{
	return type < sizeof(size_of_type) / sizeof(size_of_type[0]) &&
	       size_of_type[type].max_bytes;
}

static bool size_is_plausible(const struct wire_header *header)
{
	if (!type_is_known(header->type))
		return header->size_bytes >= sizeof(*header) &&
		       header->size_bytes <= WIRE_RECORD_MAX_BYTES;
	return header->size_bytes >= size_of_type[header->type].min_bytes &&
	       header->size_bytes <= size_of_type[header->type].max_bytes;
}

static bool task_is_valid(struct wire_task *task)
{
	task->comm[sizeof(task->comm) - 1] = '\0';
	return task->state >= WIRE_STATE_RUNNABLE && task->state <= WIRE_STATE_OTHER;
}

static bool kstack_is_valid(const struct wire_kstack *kstack)
{
	size_t sent_bytes = kstack->header.size_bytes - offsetof(struct wire_kstack, pc);

	return kstack->pc_cnt <= sent_bytes / sizeof(kstack->pc[0]);
}

static bool sample_is_valid(const struct wire_sample *sample)
{
	return sample->copy_bytes <= sample->header.size_bytes - offsetof(struct wire_sample, copy);
}

static bool stack_is_valid(const struct wire_stack *stack)
{
	size_t sent_bytes = stack->header.size_bytes - offsetof(struct wire_stack, pc);

	return stack->pc_cnt && stack->pc_cnt <= sent_bytes / sizeof(stack->pc[0]) &&
	       stack->end >= WIRE_END_ROOT && stack->end <= WIRE_END_UNLEARNED;
}

static bool miss_is_valid(const struct wire_miss *miss)
{
	return miss->pc_cnt && miss->pc_cnt <= WIRE_WALK_MAX &&
	       miss->copy_bytes <= miss->header.size_bytes - offsetof(struct wire_miss, copy);
}

static bool run_is_valid(const struct wire_run *run)
{
	return run->state >= WIRE_RUN_ON_CPU && run->state <= WIRE_RUN_QUEUED;
}

static bool exit_is_valid(struct wire_exit *ended)
{
	ended->run.comm[sizeof(ended->run.comm) - 1] = '\0';
	return run_is_valid(&ended->run);
}

static bool birth_is_valid(struct wire_birth *birth)
{
	birth->creator_comm[sizeof(birth->creator_comm) - 1] = '\0';
	return birth->tid && birth->tgid && birth->creator_tid && birth->creator_tgid;
}

static bool death_is_valid(const struct wire_death *death)
{
	return death->tid && death->tgid && death->with_process <= 1;
}

static bool body_is_valid(struct wire_record *record)
{
	switch (record->type) {
	case WIRE_TASK:
		return task_is_valid(&record->task);
	case WIRE_KSTACK:
		return kstack_is_valid(&record->kstack);
	case WIRE_SAMPLE:
		return sample_is_valid(&record->sample);
	case WIRE_STACK:
		return stack_is_valid(&record->stack);
	case WIRE_MISS:
	case WIRE_VERIFY:
		return miss_is_valid(&record->miss);
	case WIRE_EXIT:
		return exit_is_valid(&record->exit);
	case WIRE_BIRTH:
		return birth_is_valid(&record->birth);
	case WIRE_DEATH:
		return death_is_valid(&record->death);
	case WIRE_TICK:
	case WIRE_REMAP:
		return true;
	}
	return false;
}

bool wire_futex_key_is_valid(const struct wire_futex_key *key)
{
	return key->tgid && key->op >= WIRE_FUTEX_WAIT && key->op <= WIRE_FUTEX_REQUEUE &&
	       key->is_shared <= 1;
}

bool wire_futex_wait_is_valid(const struct wire_futex_wait *wait)
{
	return wait->tgid && futex_op_waits(wait->op) && wait->is_shared <= 1;
}

void wire_reader_init(struct wire_reader *reader, const void *bytes, size_t len)
{
	*reader = (struct wire_reader){ .bytes = bytes, .len = len };
}

enum wire_next wire_reader_next(struct wire_reader *reader, struct wire_record *ret)
{
	while (reader->consumed_bytes < reader->len) {
		const unsigned char *bytes = reader->bytes + reader->consumed_bytes;
		size_t left_bytes = reader->len - reader->consumed_bytes;
		struct wire_header header;

		if (left_bytes < sizeof(header))
			return WIRE_NEXT_PARTIAL;
		memcpy(&header, bytes, sizeof(header));
		if (!size_is_plausible(&header)) {
			reader->bad_cnt++;
			reader->consumed_bytes = reader->len;
			return WIRE_NEXT_BAD;
		}
		if (left_bytes < header.size_bytes)
			return WIRE_NEXT_PARTIAL;
		reader->consumed_bytes += header.size_bytes;
		if (!type_is_known(header.type)) {
			reader->unknown_cnt++;
			continue;
		}
		ret->type = (enum wire_type)header.type;
		memcpy(&ret->header, bytes, header.size_bytes);
		if (body_is_valid(ret))
			return WIRE_NEXT_RECORD;
		reader->bad_cnt++;
	}
	return WIRE_NEXT_END;
}
