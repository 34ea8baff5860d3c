/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "unit.h"

#define GOLDEN_MAX_BYTES (4u << 20)

void check_golden(const char *file, const char *text)
{
	struct buf golden;
	char path[128];

	snprintf(path, sizeof(path), "tests/golden/%s", file);
	if (getenv("UPDATE_GOLDEN")) {
		FILE *out = fopen(path, "we");

		assert_non_null(out);
		fputs(text, out);
		assert_int_equal(fclose(out), 0);
	}
	buf_init(&golden, GOLDEN_MAX_BYTES);
	if (file_read(path, &golden))
		fail_msg("cannot read '%s': the test runs from the repository's top", path);
	if (strcmp(buf_text(&golden), text) != 0) {
		print_error("%s differs; the report is now:\n%s", path, text);
		fail();
	}
	buf_release(&golden);
}
