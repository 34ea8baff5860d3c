# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Why there is no VM."""


class SetupError(Exception):
    """Something that a VM needs is not to be had; the message says what, and what to do."""
