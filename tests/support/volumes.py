"""A stack with a volume of its own, whose watcher and consumers are real."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.support.stack import HUB, Stack, eventually, merged

from shotline.client.consumer import Consumer
from shotline.client.local.daemons import Daemon
from shotline.common.keys.folder import KeysFolder
from shotline.common.volumes.views import LeaseView, RecordsStatusResult, VolumeView

VOLUME = "RAW"
GROUP = "filter"
SETTINGS: Mapping[str, object] = {
    "redis": {"timeout_s": 1.0, "retry_s": 0.2},
    "volumes": {
        "folders": {VOLUME: {"folder": "raw", "rescan_s": 0.5}},
        "consumers": {GROUP: {"lease_s": 5.0}},
        "rules": {
            "files": {
                "volume": VOLUME,
                "pattern": "**/*.dat",
                "complete": {"stable_s": 0.4},
                "then": {"consumers": [GROUP]},
            }
        },
    },
}


class DataStack(Stack):
    """A stack with a watcher; its volume is the folder `raw`."""

    def __init__(
        self,
        folder: Path,
        volumes: Mapping[str, object] | None = None,
        **more: Any,
    ) -> None:
        self.raw = folder / "raw"
        self.raw.mkdir()
        central = ["hub"] if HUB else ["broker", "dispatcher"]
        settings = merged(SETTINGS, {"up": {"daemons": [*central, "watcher"]}})
        settings = merged(settings, more.pop("settings", {}))
        super().__init__(folder, settings=merged(settings, {"volumes": volumes or {}}), **more)

    @property
    def watcher(self) -> Daemon:
        return self["watcher"]

    def consumer(self, name: str = "one", **options: object) -> Consumer:
        """Return a consumer of the volume's group."""
        file = KeysFolder(self.config.keys.folder).file_of("operator")
        return Consumer(
            GROUP,
            name,
            broker=self.config.broker.clients,
            key=file if file.exists() else None,
            **options,  # type: ignore[arg-type]
        )

    def records(self) -> RecordsStatusResult:
        """Return how everything stands, whose sum is looked at."""
        with self.supervisor() as shotline:
            status = shotline.records_status()
        for one in status.volumes:
            counts = one.counts
            parts = (counts.ready, counts.leased, counts.done, counts.dead)
            assert counts.announced == sum(parts) + counts.orphaned + counts.removed, counts
        return status

    def volume(self) -> VolumeView:
        """Return how the volume stands."""
        (one,) = self.records().volumes
        return one

    def wait_volume(self, holds: Callable[[VolumeView], bool]) -> VolumeView:
        """Return the first view of the volume for which it holds."""
        seen: list[VolumeView] = []

        def look() -> bool:
            seen.append(self.volume())
            return holds(seen[-1])

        eventually(look, lambda: f"the last view was {seen[-1:]}")
        return seen[-1]

    def write(self, path: str, content: bytes = b"data") -> Path:
        """Write a file of the volume at once."""
        file = self.raw / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return file

    def rename_in(self, path: str, content: bytes = b"data") -> Path:
        """Write a file under another name, then rename it."""
        hidden = self.write(f"{path}.part", content)
        return hidden.replace(self.raw / path)


def names(leases: list[LeaseView]) -> list[str]:
    """Return the paths of leased records."""
    return [lease.path for lease in leases]
