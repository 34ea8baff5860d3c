/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A profile for pprof as text that can be read and compared:
 *
 *	type goroutine/count
 *	mapping 1 0x1000-0x2000 at 0x1000 /bin/app (b0a7) functions files lines inlined
 *	sample 2 process=app thread=app wait=cond wait pid=12
 *		wait_for_cancel /src/steps.c:75 inlined
 *		worker /src/steps.c:209 in 1 at 0x1042
 */
#ifndef UNIT_PPROF_TEXT_H
#define UNIT_PPROF_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "profile.pb-c.h"

/* Returns the profile in the gzip'd @len bytes at @bytes. Fails the test when there is none, or
 * when anything in it refers to what is not there, or has an id twice. */
Pprof__Profile *pprof_unpack(const void *bytes, size_t len);
void pprof_free(Pprof__Profile *profile);

/* Returns text @id of @profile. */
const char *pprof_string(const Pprof__Profile *profile, int64_t id);

/* Each returns the element with id @id, or NULL. */
const Pprof__Mapping *pprof_mapping(const Pprof__Profile *profile, uint64_t id);
const Pprof__Location *pprof_location(const Pprof__Profile *profile, uint64_t id);
const Pprof__Function *pprof_function(const Pprof__Profile *profile, uint64_t id);

/* Returns the gzip'd profile as text, which the caller frees. */
char *pprof_text(const void *bytes, size_t len);

#endif
