/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The bytes of a capture file, as they come: mostly the container's own checks. */
#include "reports.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	fuzz_capture(data, len);
	return 0;
}
