/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Models that no capture may hold: each has one thing wrong that a checksum does not show. */
#ifndef UNIT_BROKEN_MODELS_H
#define UNIT_BROKEN_MODELS_H

#include "model/model.h"

uint32_t broken_model_cnt(void);

/* Fills @model, uninitialised, with number @idx. */
void broken_model(uint32_t idx, struct model *model);

#endif
