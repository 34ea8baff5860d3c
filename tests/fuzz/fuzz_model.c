/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The contents of a capture with a right container around them, so that the fuzzer gets through to
 * the model's codec and the reports. The input is sections: u8 type, u16 length, bytes.
 */
#include "reports.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_text file = { 0 };
	FILE *out = open_memstream(&file.bytes, &file.len);
	struct capfile_writer writer;

	require(out);
	require(!capfile_writer_begin(&writer, out));
	while (len >= 3) {
		size_t section_bytes = (size_t)data[1] | (size_t)data[2] << 8;
		uint8_t type = data[0];

		data += 3;
		len -= 3;
		if (section_bytes > len)
			section_bytes = len;
		if (type != CAPFILE_END)
			require(!capfile_writer_put(&writer, type, data, section_bytes));
		data += section_bytes;
		len -= section_bytes;
	}
	require(!capfile_writer_end(&writer));
	require(!fclose(out));
	fuzz_capture(file.bytes, file.len);
	free(file.bytes);
	return 0;
}
