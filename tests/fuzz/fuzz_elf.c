/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A hostile ELF file, mapped by a process: through module, rule, walk, symbol and line lookups. The
 * input is laid into this process's own memory and found there by a made-up memory map, as a
 * deleted file that only memory still holds.
 *
 * Seeds: corpus/elf, small shared objects built from corpus/elf.c with and without -g.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model/model.h"
#include "proc/maps.h"
#include "proc/modules.h"
#include "symbolize/symbolize.h"
#include "unwind/walk.h"

#define IMAGE_BYTES (256u << 10)
#define PROBES 24

static uint8_t *image;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	image = mmap(NULL, IMAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return image == MAP_FAILED ? -1 : 0;
}

static void walk_and_name(struct maps *maps, struct modules *modules, size_t len)
{
	static struct walk walk;
	static struct stack_memory memory;
	uint64_t base = (uint64_t)(uintptr_t)image;
	uint64_t reg[33], stack[512];
	struct unwinder *unwinder = unwinder_new(getpid(), maps, modules, NULL);
	struct symbolizer *symbolizer = symbolizer_new(getpid(), maps, modules, NULL);
	struct model model;
	char name[128];

	model_init(&model);
	model_add_process(&model, (uint32_t)getpid(), 0);
	for (uint64_t i = 0; i < 512; i++)
		stack[i] = base + (i * 37) % (len + 64);
	for (uint64_t probe = 0; unwinder && probe < PROBES; probe++) {
		for (uint64_t i = 0; i < 33; i++)
			reg[i] = base + (probe * 33 + i) * len / (PROBES * 33);
		reg[16] = base + probe * len / PROBES;
		reg[7] = (uint64_t)(uintptr_t)stack;
		reg[6] = (uint64_t)(uintptr_t)&stack[probe * 8];
		stack_memory_init_copy(&memory, reg[7], stack, sizeof(stack));
		unwinder_walk(unwinder, reg, &memory, &walk);
		for (uint32_t i = 0; i < walk.pc_cnt; i++)
			model_intern_loc(&model, 0, 0, walk.pc[i], walk.exact[i]);
		if (symbolizer)
			symbolizer_name_data(symbolizer, reg[16], name, sizeof(name));
	}
	if (symbolizer)
		symbolizer_run(symbolizer, &model, 0);
	symbolize_rest(symbolizer, &model, 0);
	model_release(&model);
	symbolizer_free(symbolizer);
	unwinder_free(unwinder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct modules *modules;
	struct maps maps;
	char text[160];
	int text_len;

	if (len > IMAGE_BYTES)
		return 0;
	memset(image, 0, IMAGE_BYTES);
	memcpy(image, data, len);
	text_len = snprintf(text, sizeof(text), "%lx-%lx r-xp 00000000 00:01 1 /none (deleted)\n",
			    (unsigned long)(uintptr_t)image,
			    (unsigned long)(uintptr_t)image + IMAGE_BYTES);
	maps_init(&maps);
	if (!maps_parse(&maps, text, (size_t)text_len)) {
		modules = modules_new(getpid(), &maps, NULL);
		if (modules)
			walk_and_name(&maps, modules, len);
		modules_free(modules);
	}
	maps_release(&maps);
	return 0;
}
