"""A real monitor and a real broker, and a dispatcher of few words that has much to tell."""

import json
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from bench.daemons import addresses, start, write_configuration
from bench.programs import Program
from shotline.client.local.daemons import Daemons
from shotline.common.settings.config import load_config

ACTIONS: Final = 10_000
SERVERS: Final = 200
RATE: Final = 2000  # changes a second
START_WITHIN_S: Final = 60.0


class Monitored:
    """A monitor that shows a shot of ACTIONS, RATE of which change in each second."""

    def __init__(self, folder: Path, rate: int = RATE) -> None:
        folder.mkdir()
        file = folder / "config.yaml"
        write_configuration(file, addresses(), {"up": {"daemons": ["broker", "monitor"]}})
        self._config = load_config(file, environment={})
        self._daemons = Daemons(self._config, file)
        self._rate = rate
        self._source: Program | None = None

    @property
    def port(self) -> int:
        """Where the page is."""
        return self._config.monitor.port

    @property
    def pids(self) -> dict[str, int]:
        """The processes by name: monitor, broker, source."""
        found = {daemon.name: daemon.pid for daemon in self._daemons.central}
        found["source"] = self._source.pid if self._source else None
        return {name: pid for name, pid in found.items() if pid is not None}

    def __enter__(self) -> Self:
        try:
            for daemon in self._daemons.central:
                start(daemon)
            words = (self._config.broker.clients, ACTIONS, SERVERS, self._rate)
            self._source = Program("page_source", *words)
            self._await_shot()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def _await_shot(self) -> None:
        """Return once the monitor shows the shot."""
        deadline = time.monotonic() + START_WITHIN_S
        while not self._has_shot():
            if time.monotonic() > deadline:
                raise RuntimeError("the monitor does not show the shot")
            time.sleep(0.2)

    def _has_shot(self) -> bool:
        url = f"http://127.0.0.1:{self.port}/api/monitor"
        try:
            with urllib.request.urlopen(url, timeout=START_WITHIN_S) as answer:
                found = json.load(answer)
        except OSError:
            return False
        return found["system"]["feed"] == "live" and any(
            shot["counts"]["pending"] < shot["actions"] for shot in found["shots"]
        )

    def _end(self) -> None:
        if self._source is not None:
            self._source.close()
        self._daemons.stop(lambda _: None)
