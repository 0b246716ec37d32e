"""What the file system tells of a volume by itself: it only hurries what a scan would find."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

from shotline.volumes.watcher.candidates import How

log = logging.getLogger(__name__)
logging.getLogger("watchdog").setLevel(logging.INFO)  # it tells of every read

Told = Callable[[str, How | None], None]
"""Is called with a path within the volume, and how it was told of; None: it is gone.

An empty path: more has happened than was told, and a scan finds what.
"""


class Notices(FileSystemEventHandler):
    """Events of one volume, given to its event loop. Raise OSError where it cannot be watched."""

    def __init__(self, root: Path, told: Told) -> None:
        self._root = str(root)
        self._told = told
        self._loop = asyncio.get_running_loop()
        self._observer = Observer()
        self._observer.schedule(self, self._root, recursive=True)
        self._observer.start()

    def close(self) -> None:
        """Hear no more."""
        self._observer.stop()

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Take an event, in the observer's thread."""
        match event:
            case FileClosedEvent():
                self._give(event.src_path, How.CLOSED)
            case FileMovedEvent():
                self._give(event.src_path, None)
                self._give(event.dest_path, How.MOVED)
            case FileCreatedEvent() | FileModifiedEvent():
                self._give(event.src_path, How.CHANGED)
            case FileDeletedEvent():
                self._give(event.src_path, None)
            case DirMovedEvent() | DirCreatedEvent() | DirDeletedEvent():
                self._give(self._root, How.CHANGED)
            case _:
                pass

    def _give(self, path: bytes | str, how: How | None) -> None:
        text = path.decode("utf-8", "surrogateescape") if isinstance(path, bytes) else path
        within = text.removeprefix(self._root).lstrip("/")
        try:
            self._loop.call_soon_threadsafe(self._told, within, how)
        except RuntimeError:
            log.debug("an event came after the end: %s", within)
