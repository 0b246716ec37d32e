"""Running a command of an engine, or the site's script: for a limited time, in no shell."""

import asyncio
import contextlib
import os
from collections.abc import Sequence
from typing import Final

from shotline.common.base import Value
from shotline.common.process import interpreter

_FORGOTTEN: Final = (
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "JOURNAL_STREAM",
    "INVOCATION_ID",
    "CREDENTIALS_DIRECTORY",
)
"""What is ours alone: a job gets the environment of whoever asks for it."""

_WORDS_MAX: Final = 500


class Unanswered(Exception):
    """The command has said nothing in its time: what it did is not known."""


class Ran(Value):
    """What a command has said."""

    code: int
    output: str
    errors: str

    @property
    def words(self) -> str:
        """Its complaint, in one line."""
        said = " ".join((self.errors or self.output).split())
        return (said or f"exit code {self.code}")[:_WORDS_MAX]


async def run(arguments: Sequence[str], limit_s: float) -> Ran:
    """Run a command. Raise Unanswered, and OSError where there is none."""
    environment = interpreter.environment()
    for name in _FORGOTTEN:
        environment.pop(name, None)
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(limit_s):
            output, errors = await process.communicate()
    except TimeoutError:
        raise Unanswered(f"{arguments[0]} has not answered within {limit_s:g} s") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, 9)
            await process.wait()
    code = process.returncode if process.returncode is not None else -1
    return Ran(code, output.decode(errors="replace"), errors.decode(errors="replace"))
