"""The provider's shell: the dispatcher on one side, engines on the other; what is decided is
`machine`'s business.
"""

import asyncio
import logging
import secrets
import signal
import time
from collections.abc import Coroutine, Iterable
from typing import Any, Final

from shotline.client import calls
from shotline.client.errors import SupervisorError
from shotline.client.supervisor import AsyncSupervisor
from shotline.common.errors import ConfigError
from shotline.common.keys.folder import own_key
from shotline.common.machine import Instant
from shotline.common.metrics import Metric, gauge
from shotline.common.process.clocks import elapsed_s
from shotline.common.process.service import EXIT_FAULT
from shotline.common.process.systemd import Systemd
from shotline.common.settings.config import Config, packaged
from shotline.common.views import DemandResult
from shotline.providers.events import (
    Cancel,
    Effect,
    Event,
    Heard,
    Look,
    Say,
    Start,
    Unheard,
)
from shotline.providers.machine import Provider
from shotline.providers.script import Script
from shotline.providers.slurm import Slurm

log = logging.getLogger(__name__)

_LEVELS: Final = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class ProviderDaemon:
    """Starts servers on demand until a signal ends it; what it has started goes on."""

    def __init__(self, config: Config) -> None:
        section = config.providers
        if not section.classes:
            raise ConfigError("providers.classes names no class whose servers are to be started")
        self._section = section
        self._config = config
        self._machine = Provider(section, secrets.token_hex(8), lambda: secrets.token_hex(6))
        self._slurm = Slurm(section)
        script = section.script or config.monitor.server_command or packaged("server_command.sh")
        self._script = Script(section, script)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = asyncio.Event()
        self._code = 0

    def metrics(self) -> Iterable[Metric]:
        """Return what it has counted."""
        for state, number in self._machine.pilots().items():
            yield gauge(f"provider_{state}", f"Servers on demand that are {state}.", number)
        failures = self._machine.failures()
        yield gauge(
            "provider_failures", "Starts that failed since the last that did not.", failures
        )

    async def run(self, systemd: Systemd) -> int:
        """Serve until a signal. Return the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopped.set)
        config = self._config
        key = own_key(config.keys, "provider")
        limit_s = self._machine.valid_s
        classes = ", ".join(self._section.classes)
        async with AsyncSupervisor(config.broker.clients, key=key, timeout_s=limit_s) as dispatcher:
            self._handle()
            systemd.ready(f"starts servers of {classes} on demand")
            log.info("starts servers of %s on demand", classes)
            while not self._stopped.is_set():
                await self._tell(dispatcher)
                try:
                    async with asyncio.timeout(self._section.look_s):
                        await self._stopped.wait()
                except TimeoutError:
                    self._handle()
        systemd.stopping()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return self._code

    async def _tell(self, dispatcher: AsyncSupervisor) -> None:
        """Tell the dispatcher what there is, and hear what is needed."""
        now = _now()
        asking = asyncio.ensure_future(
            dispatcher.ask(calls.result(self._machine.report(now), DemandResult))
        )
        stopping = asyncio.ensure_future(self._stopped.wait())
        await asyncio.wait((asking, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not asking.done():
            asking.cancel()
            return
        try:
            self._handle(Heard(asking.result(), now.mono))
        except SupervisorError as error:
            self._handle(Unheard(str(error)))

    def _handle(self, *events: Event) -> None:
        for effect in self._machine.handle(_now(), *events):
            self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Say(level, text):
                log.log(_LEVELS[level], "%s", text)
            case Look(_, judged):
                self._begin(self._answered(self._slurm.look(judged)))
            case Start():
                self._begin(self._answered(self._engine_of(effect.server).start(effect)))
            case Cancel():
                log.info("ends %s: %s", effect.server, effect.why)
                self._begin(self._engine_of(effect.server).cancel(effect))

    def _engine_of(self, server: str) -> Slurm | Script:
        one = self._section.classes[server.partition(":")[0]]
        return self._slurm if one.provider == "slurm" else self._script

    async def _answered(self, asking: Coroutine[Any, Any, Event]) -> None:
        self._handle(await asking)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("the provider ends because of a fault of its own", exc_info=error)
            self._code = EXIT_FAULT
            self._stopped.set()


def _now() -> Instant:
    """Return now; what was heard before the machine slept is old."""
    return Instant(elapsed_s(), time.time())
