/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "cli/stop.h"

#include <stddef.h>

static const int ending_signals[STOP_SIGNAL_CNT] = { SIGINT, SIGTERM };

volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
	if (stop_asked) {
		signal(number, SIG_DFL);
		raise(number);
	}
	stop_asked = 1;
}

void stop_take(struct stop *stop)
{
	struct sigaction action = { .sa_handler = on_signal };

	for (size_t i = 0; i < STOP_SIGNAL_CNT; i++) {
		sigaction(ending_signals[i], NULL, &stop->old[i]);
		if (stop->old[i].sa_handler != SIG_IGN)
			sigaction(ending_signals[i], &action, NULL);
	}
}

void stop_give_back(const struct stop *stop)
{
	for (size_t i = 0; i < STOP_SIGNAL_CNT; i++)
		sigaction(ending_signals[i], &stop->old[i], NULL);
}
