/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What the JSON of a snapshot and that of a recording have in common: values, frames, envelope. */
#ifndef REPORT_JSON_PARTS_H
#define REPORT_JSON_PARTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/table.h"
#include "report/formats.h"

/* The frames of stacks as JSON, since thousands of threads share a few. */
struct json_cache {
	struct buf text; /* entries: quality, end, text, NUL */
	struct table off_by_stack;
};

struct json_writer {
	struct report *report;
	struct json_cache cache;
};

/* One stack as JSON; .frames is valid until the next one is asked for. */
struct json_stack {
	uint8_t quality; /* enum stack_quality; 0: there is no stack */
	uint8_t end;	 /* enum stack_end */
	const char *frames;
};

void json_writer_init(struct json_writer *writer, struct report *report);
void json_writer_release(struct json_writer *writer);

/* Writes @stack (MODEL_NONE: no frames) to @ret. Returns 0 or -errno. */
int json_writer_stack(struct json_writer *writer, uint32_t stack, struct json_stack *ret);

/* Each returns a new reference, or NULL, which jansson's _new functions take for failure. */
json_t *json_clean(struct report *report, const char *text);
json_t *json_str(struct report *report, uint32_t id); /* null for id 0 */
json_t *json_u64(uint64_t value);
json_t *json_hex(uint64_t value); /* a string */
json_t *json_quality(uint8_t quality, bool raced);
json_t *json_stack_end(uint8_t end);

/* Returns @json, or NULL in its place when building it failed. */
json_t *json_checked(json_t *json, int err);

/* Prints the member "created_by" of @thread: an object, or null. Returns 0 or -errno. */
int put_json_creator(struct json_writer *writer, const struct model_thread *thread);

/* Prints @json, which may be NULL for want of memory, and releases it. Returns 0 or -ENOMEM; what
 * fails to be written stays in ferror. */
int put_json(struct report *report, json_t *json, size_t flags);

/* Prints a stack's members behind others: frames, quality, stack_end. Returns 0 or -errno. */
int put_json_stack(struct json_writer *writer, uint32_t stack);

/* Prints the rest of the object of @process, from its threads on, as the report of a dump has it.
 * Returns 0 or -errno. */
int put_json_process_rest(struct json_writer *writer, const struct model_process *process);

/* Prints @key, which needs no escaping, and the string @text. Returns 0 or -ENOMEM. */
int put_member(struct report *report, const char *before, const char *key, const char *text);

/* Prints the member "losses", behind others. */
void put_json_losses(const struct report *report);

/* Print what stands around the report's "processes": version, time and losses before them, host
 * and kernel behind. Return 0 or -ENOMEM. */
int put_json_head(struct report *report);
int put_json_tail(struct report *report);

#endif
