/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * jit: code that is in no file, as a JIT compiler makes it. A thread calls jit_outer, which calls
 * jit_inner, which blocks in pause(2); both keep frame pointers and have no CFI. Their names stand
 * in /tmp/perf-PID.map, as perf knows it, until the workload ends. A second thread calls a copy of
 * the same code that no map names.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "workload.h"

#if defined(__x86_64__)

static const unsigned char code[] = {
	/* outer: */
	0x55,			      /* push %rbp */
	0x48, 0x89, 0xe5,	      /* mov %rsp, %rbp */
	0xe8, 0x07, 0x00, 0x00, 0x00, /* call inner */
	0x5d,			      /* pop %rbp */
	0xc3,			      /* ret */
	0xcc, 0xcc, 0xcc, 0xcc, 0xcc, /* padding */
	/* inner: */
	0x55,			      /* push %rbp */
	0x48, 0x89, 0xe5,	      /* mov %rsp, %rbp */
	0xb8, 0x22, 0x00, 0x00, 0x00, /* again: mov $34, %eax (pause) */
	0x0f, 0x05,		      /* syscall */
	0xeb, 0xf7,		      /* jmp again */
};
enum { OUTER_BYTES = 11, INNER_OFF = 16, INNER_BYTES = sizeof(code) - INNER_OFF };

#else
#error "the code of this workload has to be written for this machine"
#endif

static char map_path[64];

static void *emit(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		die("mmap");
	memcpy(page, code, sizeof(code));
	if (mprotect(page, 4096, PROT_READ | PROT_EXEC))
		die("mprotect");
	return page;
}

static void write_map(const char *page)
{
	FILE *file;

	snprintf(map_path, sizeof(map_path), "/tmp/perf-%d.map", (int)getpid());
	file = fopen(map_path, "we");
	if (!file)
		die(map_path);
	fprintf(file, "%lx %x jit_outer\n", (unsigned long)page, OUTER_BYTES);
	fprintf(file, "%lx %x jit_inner with blanks\n", (unsigned long)(page + INNER_OFF),
		INNER_BYTES);
	if (fclose(file))
		die(map_path);
}

FRAME static void call_jit(void *page)
{
	void (*outer)(void);

	memcpy(&outer, &page, sizeof(outer));
	outer();
	die("pause");
}

static void *jit_main(void *page)
{
	name_thread("jit-mapped");
	call_jit(page);
	return NULL;
}

static void *unmapped_main(void *page)
{
	name_thread("jit-unmapped");
	call_jit(page);
	return NULL;
}

int main(void)
{
	void *page;

	workload_init();
	page = emit();
	write_map(page);
	start_thread_of(jit_main, page, 64 * 1024);
	start_thread_of(unmapped_main, emit(), 64 * 1024);
	wait_settled(0);
	print_ready();
	wait_for_stop(NULL);
	unlink(map_path);
	return 0;
}
