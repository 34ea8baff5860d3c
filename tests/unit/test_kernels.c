/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* docs/KERNELS.md says what the probe tries. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "capture/probe.h"

#define DOC_PATH "docs/KERNELS.md"

static void test_table_is_the_probes_own(void **state)
{
	size_t cnt;
	const struct probe_feature *features = probe_features(&cnt);
	const char *at;
	struct buf doc;

	(void)state;
	buf_init(&doc, 1 << 20);
	assert_int_equal(file_read(DOC_PATH, &doc), 0);
	at = strstr(buf_text(&doc), "|---|---|---|---|---|\n");
	assert_non_null(at);
	for (size_t i = 0; i < cnt; i++) {
		const struct probe_feature *feature = &features[i];
		char line[512];

		at = strchr(at, '\n');
		assert_non_null(at);
		at++;
		snprintf(line, sizeof(line), "| %s | %s | %s | %s | %s |\n", feature->name,
			 feature->used_by, feature->since, feature->commit ? feature->commit : "-",
			 feature->without);
		if (strncmp(at, line, strlen(line)))
			fail_msg("%s has: %.*sthe probe: %s", DOC_PATH,
				 (int)(strchr(at, '\n') + 1 - at), at, line);
	}
	/* The table ends where the probe's does. */
	at = strchr(at, '\n');
	assert_non_null(at);
	assert_int_equal(at[1], '\n');
	buf_release(&doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_is_the_probes_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
