/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * mapper CNT: one thread among CNT mappings of memory, that maps one more page of code every few
 * milliseconds and sleeps in between, for ever: its map has changed before it can be read.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#include "workload.h"

#define PAGE_BYTES 4096L
#define PAUSE_MS 3

static char *map_pages(long cnt, int prot)
{
	char *pages =
		mmap(NULL, (size_t)(cnt * PAGE_BYTES), prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		die("mmap");
	return pages;
}

int main(int argc, char **argv)
{
	long cnt;
	char *pages;

	if (argc != 2) {
		errno = EINVAL;
		die("mapper CNT");
	}
	cnt = parse_long(argv[1], 1, 60000);
	pages = map_pages(cnt, PROT_READ);
	for (long i = 0; i < cnt; i += 2)
		if (mprotect(pages + i * PAGE_BYTES, PAGE_BYTES, PROT_READ | PROT_WRITE))
			die("mprotect");
	print_ready();
	while (!stdin_ended(PAUSE_MS))
		map_pages(1, PROT_READ | PROT_EXEC);
	return 0;
}
