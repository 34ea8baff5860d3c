/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A model as sections of a capture file, and back. A decoded model gives the same bytes in every
 * report as the one that was encoded.
 *
 * Decoding trusts nothing: every index, count and enum value is checked, so that no report of a
 * decoded model reaches outside of it, whoever made the file.
 */
#ifndef MODEL_CODEC_H
#define MODEL_CODEC_H

#include "base/err.h"
#include "model/model.h"
#include "wire/capfile.h"

/* Writes @model, which must be sorted (model_sort), between capfile_writer_begin and _end.
 * Returns 0 or -errno. */
int model_encode(const struct model *model, struct capfile_writer *writer);

/* Reads @reader to its end and fills @model, which must be initialised and empty. Its vectors'
 * maxima hold. The result can be reported but not added to.
 * Returns 0, or -errno with @err set; @model may then only be released. */
int model_decode(struct model *model, struct capfile_reader *reader, struct err *err);

#endif
