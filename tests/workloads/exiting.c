/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* exiting [N]: N threads (8) that wait; the process exits at the first byte or the end of stdin. */
#include <unistd.h>

#include "workload.h"

FRAME static void *exit_wait(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

int main(int argc, char **argv)
{
	long cnt = argc == 2 ? parse_long(argv[1], 0, 10000) : 8;
	char byte;

	while (cnt-- > 0)
		start_thread_of(exit_wait, NULL, 64 * 1024);
	wait_settled(0);
	print_ready();
	(void)!read(0, &byte, 1);
	return 0;
}
