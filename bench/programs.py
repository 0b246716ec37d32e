"""Programs of the benchmark itself as processes: what it is compared with, and what drives it."""

import os
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from shotline.common.process import interpreter

END_WITHIN_S: Final = 10.0
ANSWER_WITHIN_S: Final = 300.0
ROOT: Final = Path(__file__).resolve().parent.parent


class Program:
    """`python -m bench.MODULE …`, which says lines on its standard output.

    It is ended at the end of the `with` block, and with the thread that has started it.
    """

    def __init__(self, module: str, *arguments: object) -> None:
        self._module = module
        self._said = b""
        self._process = subprocess.Popen(
            interpreter.tied(sys.executable, "-m", f"bench.{module}", *map(str, arguments)),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def tell(self, line: str) -> None:
        """Say a line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def heard(self, within_s: float) -> str | None:
        """Return the next line that it says, None where it says none in time.

        Raise RuntimeError when it has ended.
        """
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while b"\n" not in self._said:
            if not select.select([descriptor], [], [], within_s)[0]:
                return None
            told = os.read(descriptor, 65_536)
            if not told:
                raise RuntimeError(f"bench.{self._module} has ended ({self._process.wait()})")
            self._said += told
        line, _, self._said = self._said.partition(b"\n")
        return line.decode()

    def line(self) -> str:
        """Return the next line that it says. Raise RuntimeError when there is none."""
        line = self.heard(ANSWER_WITHIN_S)
        if line is None:
            raise RuntimeError(f"bench.{self._module} says nothing")
        return line

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def say(text: str) -> None:
    """Say a line to whoever has started this program."""
    print(text, flush=True)
