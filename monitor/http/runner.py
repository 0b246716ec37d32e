"""Programs that the monitor runs for operators: what starts servers, and `shotline` itself.

Always with an argument list; no shell ever sees what somebody has typed (DESIGN §8).
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

import click

from shotline.client.local.link import is_up
from shotline.client.supervisor import BEHALF_VARIABLE, KEY_VARIABLE
from shotline.common.base import to_json
from shotline.common.keys.folder import KeysFolder
from shotline.common.messages import EXIT_CODES, Behalf, Outcome
from shotline.common.process import interpreter
from shotline.common.settings.config import Config, packaged
from shotline.monitor.http.page_line import NotRunnable, arguments_of
from shotline.monitor.models import ProgramAnswer

_KILL_GRACE_S: Final = 2.0
# What such programs are not to take for their own.
_FORGOTTEN: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM")


class Runner:
    """Runs programs, each for a limited time and with a limited output."""

    def __init__(self, config: Config, config_file: Path) -> None:
        self._config = config
        self._config_file = config_file
        self._broker = config.broker.clients
        self._bytes_max = config.monitor.answer_bytes_max

    async def server_command(
        self, server_class: str, command: str, server_id: str | None, timeout_s: float
    ) -> ProgramAnswer:
        """Have a class, or one of its servers, started or ended; return what was said of it.

        A script that the configuration names is run. Else a `shotline up` of this configuration is
        asked, where one runs and starts these servers; else the packaged script is run.
        """
        script = self._config.monitor.server_command
        if script is None and self._is_of_up(server_class, server_id):
            return await self._ask_up(server_class, command, server_id, timeout_s)
        if script is None:
            script = packaged("server_command.sh")
        arguments = [server_class, command, *([server_id] if server_id is not None else [])]
        program = [str(script), *arguments]
        if not os.access(script, os.X_OK):
            program = ["sh", *program]
        return await self._answered(program, (script.name, *arguments), timeout_s)

    def _is_of_up(self, server_class: str, server_id: str | None) -> bool:
        known = any(
            one.server_class == server_class and server_id in (None, one.id)
            for one in self._config.up.servers
        )
        return known and is_up(self._config.data_folder)

    async def _ask_up(
        self, server_class: str, command: str, server_id: str | None, timeout_s: float
    ) -> ProgramAnswer:
        name = server_class if server_id is None else f"{server_class}:{server_id}"
        words = ("up", command.lower(), name)
        program = interpreter.python("shotline.client.cli", "--config", str(self._config_file))
        return await self._answered([*program, *words], ("shotline", *words), timeout_s)

    async def _answered(
        self,
        program: Sequence[str],
        arguments: tuple[str, ...],
        timeout_s: float,
        given: Mapping[str, str] = MappingProxyType({}),
    ) -> ProgramAnswer:
        """Run a program; `given` are variables of its environment."""
        started = time.monotonic()
        code, output = await self._run(program, timeout_s, given)
        return ProgramAnswer(
            arguments=arguments,
            exit_code=code,
            output=output,
            duration_s=round(time.monotonic() - started, 3),
            timed_out=code is None,
        )

    async def command_line(
        self, line: str, timeout_s: float, behalf: Behalf | None = None
    ) -> ProgramAnswer:
        """Run a line of `shotline` that is for a page, for somebody.

        Raise NotRunnable when it is not for a page.
        """
        try:
            arguments = arguments_of(line)
        except click.UsageError as error:
            return ProgramAnswer(
                arguments=("shotline",),
                exit_code=EXIT_CODES[Outcome.USAGE],
                output=f"Error: {error.format_message()}\n",
                duration_s=0.0,
                timed_out=False,
            )
        program = interpreter.python("shotline.client.cli")
        common = ["--broker", self._broker, "--config", str(self._config_file)]
        given = {BEHALF_VARIABLE: to_json(behalf).decode()} if behalf is not None else {}
        key = KeysFolder(self._config.keys.folder).file_of("monitor")
        if self._config.keys.file is None and key.exists():
            given[KEY_VARIABLE] = str(key)  # such a line is given by the monitor
        return await self._answered(
            [*program, *common, *arguments], ("shotline", *arguments), timeout_s, given
        )

    async def _run(
        self, program: Sequence[str], timeout_s: float, given: Mapping[str, str]
    ) -> tuple[int | None, str]:
        environment = interpreter.environment()
        for name in (*_FORGOTTEN, BEHALF_VARIABLE):
            environment.pop(name, None)
        environment.update(given)
        # A pipe of ours: what the program leaves running may keep it open, and we do not wait.
        reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(writing, True)
        output = _Output(reading, self._bytes_max)
        loop = asyncio.get_running_loop()
        try:
            process = await asyncio.create_subprocess_exec(
                *program,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            os.close(reading)
            raise NotRunnable(f"{program[0]} cannot be run: {error.strerror}") from None
        finally:
            os.close(writing)
        loop.add_reader(reading, lambda: output.read() or loop.remove_reader(reading))
        try:
            code: int | None = await asyncio.wait_for(process.wait(), timeout_s)
        except TimeoutError:
            code = None
        finally:
            await self._end(process)
            loop.remove_reader(reading)
            while output.read():
                pass
            os.close(reading)
        return code, output.text()

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """End what is left of it, with all that it has started."""
        if process.returncode is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _KILL_GRACE_S)
                return


class _Output:
    """What a program writes, as far as it is kept."""

    def __init__(self, descriptor: int, bytes_max: int) -> None:
        self._descriptor = descriptor
        self._bytes_max = bytes_max
        self._kept = bytearray()
        self._cut = False

    def read(self) -> bool:
        """Take what is there; return whether there was any."""
        try:
            chunk = os.read(self._descriptor, 65_536)
        except BlockingIOError:
            return False
        room = self._bytes_max - len(self._kept)
        self._kept += chunk[:room]
        self._cut = self._cut or len(chunk) > room
        return bool(chunk)

    def text(self) -> str:
        """Return it as text; bytes that are not UTF-8 are shown as \\xNN."""
        text = self._kept.decode(errors="backslashreplace")
        return text + ("\n… the rest is left out" if self._cut else "")
