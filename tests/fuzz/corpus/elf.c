/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The source of the seeds in elf/, each made with
 *   gcc -O2 -shared -nostdlib -fPIC -Wl,--build-id=none -Wl,-z,noseparate-code
 * and: -g (debug.so), -s (stripped.so), -g -mno-red-zone -fno-omit-frame-pointer (fp.so).
 */
struct node {
	struct node *next;
	int value;
};

int table[16];
int outside(struct node *node, char *room);

static inline int twice(int value)
{
	return value * 2 + table[value & 15];
}

__attribute__((noinline)) static int sum(struct node *node)
{
	int total = 0;

	for (; node; node = node->next)
		total += twice(node->value);
	return total;
}

int aligned(struct node *node, int len)
{
	char room[64] __attribute__((aligned(64)));
	char *more = __builtin_alloca((unsigned int)len);

	more[0] = 1;
	return outside(node, room) + outside(node, more) + sum(node);
}

int recurse(struct node *node, int depth)
{
	return depth ? recurse(node->next, depth - 1) + sum(node) : aligned(node, node->value);
}
