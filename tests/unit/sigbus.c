/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * cmocka takes the signals of crashes for the time of each test and each fixture, to count them as
 * failures; SIGBUS among them, by which base/filecopy.c works from one to the next. This is the
 * signal() that cmocka gets: it leaves that one alone.
 */
#include <signal.h>
#include <stddef.h>

sighandler_t signal(int number, sighandler_t handler)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART }, old;

	if (number == SIGBUS)
		return SIG_DFL;
	return sigaction(number, &action, &old) ? SIG_ERR : old.sa_handler;
}
