"""Standard streams that cost no program its exit code, whatever became of them.

Closed, full, in an encoding that lacks a character, or with a reader who has gone: what can still
be shown is shown, the rest is dropped. All programs of Shotline call `guard` before they begin.
"""

import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO

import click

_STANDARD: Final = (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY)  # of the descriptors 0, 1 and 2


class ReaderGone(Exception):
    """Nobody reads what this program is there to write."""


class _Outlet(io.RawIOBase):
    """A descriptor that takes what it can; the first failure is kept, and ends the writing."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.failure: OSError | None = None
        self.needed = False

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:  # any buffer, as typeshed has it
        size = len(data)
        while self.failure is None:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:
                select.select((), (self._descriptor,), ())
            except OSError as error:
                self.failure = error
        if self.needed:
            raise ReaderGone
        return size


_outlets: Final[dict[str, _Outlet]] = {}


def guard() -> None:
    """Let standard output and standard error of this process take anything.

    The three descriptors are taken by /dev/null where they were closed: a socket that got one of
    their numbers would receive what is written for people.
    """
    for descriptor, flags in enumerate(_STANDARD):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, flags)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            os.set_inheritable(descriptor, True)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        stream: TextIO | None = getattr(sys, name)
        if stream is not getattr(sys, f"__{name}__") or name in _outlets:
            continue  # somebody else's, as of a test
        if stream is None:  # what has its number by now may be something else
            descriptor = os.open(os.devnull, os.O_WRONLY)  # noqa: PLW2901
        outlet = _outlets[name] = _Outlet(descriptor)
        made = io.TextIOWrapper(
            io.BufferedWriter(outlet),
            encoding="utf-8" if stream is None else stream.encoding,
            errors="backslashreplace",
            line_buffering=name == "stderr" or outlet.isatty(),
        )
        setattr(sys, name, made)


@contextmanager
def reader_needed() -> Iterator[None]:
    """Raise ReaderGone within, once standard output can no longer be written."""
    outlet = _outlets.get("stdout")
    if outlet is None:
        yield
        return
    outlet.needed = True
    try:
        yield
    finally:
        outlet.needed = False


def settle() -> str | None:
    """Write what is buffered. Return why standard output is incomplete, None where it is not.

    A reader who has had enough is no reason.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    outlet = _outlets.get("stdout")
    failure = outlet and outlet.failure
    if not failure or failure.errno == errno.EPIPE:
        return None
    return failure.strerror


class Program(click.Command):
    """The command of a daemon."""

    def main(self, *args: Any, **kwargs: Any) -> Any:  # click's own signature
        """Run it, whatever its standard streams are."""
        guard()
        return super().main(*args, **kwargs)
