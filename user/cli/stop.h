/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Ctrl-C and SIGTERM end what is under way, which is then reported; a second one ends loiter. */
#ifndef CLI_STOP_H
#define CLI_STOP_H

#include <signal.h>

#define STOP_SIGNAL_CNT 2

struct stop {
	struct sigaction old[STOP_SIGNAL_CNT];
};

/* Set by the first signal. */
extern volatile sig_atomic_t stop_asked;

/* Takes the signals from here on, but for those that are ignored, as they are for what runs in the
 * background. */
void stop_take(struct stop *stop);
void stop_give_back(const struct stop *stop);

#endif
