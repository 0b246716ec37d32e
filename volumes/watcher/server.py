"""The watcher's shell: its volumes, its connection, its memory; one event loop for all."""

import asyncio
import logging
import signal
import socket
import sqlite3
from collections.abc import Iterable

from shotline.client.supervisor import AsyncSupervisor
from shotline.common.errors import ConfigError
from shotline.common.keys.folder import own_key
from shotline.common.metrics import Metric, counters, gauges
from shotline.common.process.service import EXIT_FAULT
from shotline.common.process.systemd import Systemd
from shotline.common.settings.config import Config
from shotline.volumes.watcher.memory import Memory
from shotline.volumes.watcher.volume import VolumeWatch

log = logging.getLogger(__name__)


class WatcherServer:
    """The daemon. Made inside the running event loop. Raise ConfigError where it cannot serve."""

    def __init__(self, config: Config, host: str = "", volumes: tuple[str, ...] = ()) -> None:
        section = config.volumes
        self.host = host or socket.gethostname()
        names = volumes or tuple(
            name for name, one in section.folders.items() if one.host in (None, self.host)
        )
        unknown = [name for name in names if name not in section.folders]
        if unknown:
            raise ConfigError(f"there is no volume {unknown[0]} under volumes.folders")
        if not names:
            known = ", ".join(sorted(section.folders)) or "none"
            raise ConfigError(
                f"no volume is of this host, {self.host}: name it under volumes.folders (there: "
                f"{known}), or say which host this is by --host"
            )
        file = section.watcher_folder / f"{self.host}.sqlite"
        try:
            self._memory = Memory(file)
        except (sqlite3.Error, OSError) as error:
            raise ConfigError(
                f"the watcher's memory {file} cannot be used: {error}; without it nothing is "
                "announced"
            ) from None
        self._supervisor = AsyncSupervisor(
            config.broker.clients, key=own_key(config.keys, "watcher")
        )
        self.volumes = [
            VolumeWatch(
                name,
                section.folders[name],
                section.rules,
                self.host,
                self._memory,
                self._supervisor,
            )
            for name in names
        ]

    async def run(self, systemd: Systemd) -> int:
        """Serve until SIGTERM or SIGINT; return the exit code."""
        loop = asyncio.get_running_loop()
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        watches = [loop.create_task(volume.run()) for volume in self.volumes]
        for watch in watches:
            watch.add_done_callback(lambda _: stopping.set())
        said = ", ".join(f"{one.name} at {one.root}" for one in self.volumes)
        log.info("watches %s", said)
        systemd.ready(f"watches {said}")
        await stopping.wait()
        systemd.stopping()
        fault = next((one for one in watches if one.done() and one.exception()), None)
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)
        self._supervisor.close()
        self._memory.close()
        if fault is None:
            return 0
        log.critical("the watcher ends because of a fault of its own", exc_info=fault.exception())
        return EXIT_FAULT

    def metrics(self) -> Iterable[Metric]:
        """Return what it has counted."""
        words = "Files that were announced."
        told = {(one.name,): one.announced for one in self.volumes}
        yield counters("watcher_files_announced", words, ("volume",), told.items())
        words = "Files that could not be read."
        told = {(one.name,): one.kept_out for one in self.volumes}
        yield counters("watcher_files_kept_out", words, ("volume",), told.items())
        words = "Whether a volume is there and can be read."
        there = {(one.name,): not one.trouble for one in self.volumes}
        yield gauges("watcher_volume_there", words, ("volume",), there.items())
        words = "How long the last look at all of a volume took, in seconds."
        took = {(one.name,): one.scan_s or 0.0 for one in self.volumes}
        yield gauges("watcher_scan_seconds", words, ("volume",), took.items())
