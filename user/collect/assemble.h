/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* From a snapshot to the model: names for the pcs, kinds and objects for the waits, ages. */
#ifndef COLLECT_ASSEMBLE_H
#define COLLECT_ASSEMBLE_H

#include "base/err.h"
#include "collect/snapshot.h"
#include "model/model.h"

/* Fills the empty @model with what @snapshot saw. Returns 0, or -errno with @err set. */
int assemble_model(struct snapshot *snapshot, struct model *model, struct err *err);

#endif
