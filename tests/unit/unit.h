/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* cmocka with the headers that it needs before it, in their order. */
#ifndef UNIT_UNIT_H
#define UNIT_UNIT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#endif
