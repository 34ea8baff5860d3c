/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* A library with a pool of threads: there are as many as there ever were jobs at one time. */
#ifndef WORKLOADS_POOL_H
#define WORKLOADS_POOL_H

#ifdef __cplusplus
extern "C" {
#endif

/* Lets a thread of the pool call @job; starts one when none is idle. */
void pool_submit(void (*job)(void));

#ifdef __cplusplus
}
#endif

#endif
