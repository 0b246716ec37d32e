"""Daemons and commands start warm, unless a test wants to see how they start."""

from tests.support.warm_starts import cold_starts, warm_server, warm_starts

__all__ = ["cold_starts", "warm_server", "warm_starts"]
