"""Ports for what tests start: no two processes that run tests are ever given the same one."""

import fcntl
import functools
import itertools
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_LOWEST: Final = 10_240
_PORTS_OF_A_PROCESS: Final = 500
_PROCESSES: Final = 45
"""So many blocks end below 32,768, from where the kernel takes the ports of connections."""


class _Block:
    """The ports that this process has to itself, by a lock that it holds while it lives."""

    def __init__(self) -> None:
        folder = Path(tempfile.gettempdir(), f"shotline-test-ports-{os.getuid()}")
        folder.mkdir(exist_ok=True)
        for number in random.sample(range(_PROCESSES), _PROCESSES):
            self._lock = (folder / str(number)).open("w")
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self._lock.close()
                continue
            first = _LOWEST + number * _PORTS_OF_A_PROCESS
            self.ports: Iterator[int] = itertools.cycle(range(first, first + _PORTS_OF_A_PROCESS))
            return
        raise RuntimeError(f"{_PROCESSES} other processes run tests on this machine")


@functools.cache
def _block_of(_process: int) -> _Block:
    """One for each process: a child that was forked has none of its parent's ports."""
    return _Block()


def free_ports(count: int) -> list[int]:
    """Return ports of this machine that nobody has, and that no other test will be given soon.

    Raise RuntimeError when all of this process's ports are in use.
    """
    block = _block_of(os.getpid())
    tried = itertools.islice(block.ports, _PORTS_OF_A_PROCESS)
    found = list(itertools.islice(filter(_is_free, tried), count))
    if len(found) < count:
        raise RuntimeError(f"of {_PORTS_OF_A_PROCESS} ports, fewer than {count} are free")
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
