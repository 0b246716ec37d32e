"""Follows one volume: finds its files, waits until they are complete, and has them announced."""

import asyncio
import errno
import fnmatch
import itertools
import logging
import os
import shutil
import time
from collections.abc import Awaitable
from typing import Final

from shotline.client.errors import Closed, Nobody, Refused, SupervisorError
from shotline.client.supervisor import AsyncSupervisor
from shotline.common.fleet.facts import DiskSpace
from shotline.common.settings.sections.volumes import FolderSection, RuleSection
from shotline.common.volumes.files import FileSeen
from shotline.common.volumes.records import OrderKind, WatchOrder
from shotline.common.volumes.views import RecordsCode, RecordsRefused, WatchResult
from shotline.volumes.watcher import contents, scanning
from shotline.volumes.watcher.candidates import Candidates, How, Look
from shotline.volumes.watcher.memory import Known, Memory, joined, split
from shotline.volumes.watcher.notices import Notices
from shotline.volumes.watcher.rules import Found, Rules

log = logging.getLogger(__name__)

BEAT_S: Final = 5.0
RETRY_S: Final = 1.0
BATCH: Final = 500  # files announced in one command
PARTS_MAX: Final = 20_000  # and records
QUARANTINE_MAX: Final = 1000  # files that are told of
READ_MAX: Final = 64  # files that were read and wait for being remembered together


class VolumeWatch:
    """One volume. Made inside the running event loop."""

    def __init__(
        self,
        name: str,
        folder: FolderSection,
        rules: dict[str, RuleSection],
        host: str,
        memory: Memory,
        supervisor: AsyncSupervisor,
    ) -> None:
        self.name, self.host = name, host
        self._folder = folder
        self.root = folder.folder
        self._rules = Rules(name, rules)
        self._memory = memory
        self._supervisor = supervisor
        self.candidates = Candidates()
        self._reading: dict[str, tuple[Found, Look, str]] = {}  # complete; group of a replay
        self._read_now = asyncio.Event()
        self._read_all = asyncio.Event()
        self._due_now = asyncio.Event()
        self._scan_now = asyncio.Event()
        self._send_now = asyncio.Event()
        self._beat_now = asyncio.Event()
        self._notices: Notices | None = None
        self._is_new = memory.begin(name)
        self._heard: WatchResult | None = None  # what the ledger knows of us
        self._told_kept_out: list[str] | None = None
        self.trouble = ""
        self.scanned_at: float | None = None
        self.scan_s: float | None = None
        self.announced = self.kept_out = self.scans = 0

    async def run(self) -> None:
        """Follow it until it is cancelled."""
        parts = (self._scan_on, self._look_on, self._read_on, self._send_on, self._beat_on)
        try:
            async with asyncio.TaskGroup() as group:
                for part in parts:
                    group.create_task(part())
        finally:
            self._watch_no_more()

    # What is there

    def told(self, path: str, how: How | None) -> None:
        """Take an event of the file system."""
        if not path:
            self._scan_now.set()
            return
        owner = self.candidates.of_marker(path) if self._rules.has_markers else None
        found = self._rules.found(owner or path)
        if found is None:
            return
        if how is None and owner is None:
            self._gone(found, path)
        elif how is not None:
            self._look(found, How.CHANGED if owner else how)

    def _gone(self, found: Found, path: str) -> None:
        if os.path.lexists(self.root / path):
            return  # it was made again, of which another event tells
        self.candidates.forget(found.path)
        self._reading.pop(found.path, None)
        if self._memory.gone(self.name, [found.path], "the file is gone"):
            self._send_now.set()

    def _look(self, found: Found, how: How, look: Look | None = None) -> None:
        """Look at a file, and have it read where it is complete."""
        if look is None or found.companions:
            look = contents.look_at(self.root, found)
        if look is None:
            self.candidates.forget(found.path)
            return
        folder, name = split(found.path)
        row = self._memory.known(self.name, folder, [name]).get(name)
        if row is not None and row.look == look:
            self.candidates.forget(found.path)
            return
        self._consider(found, look, how)

    def _consider(self, found: Found, look: Look, how: How) -> None:
        marked = found.marker is not None and os.path.lexists(self.root / found.marker)
        if self.candidates.seen(time.monotonic(), found, look, how, marked=marked):
            self._reading[found.path] = (found, look, "")
            self._read_now.set()
        else:
            self._due_now.set()

    async def _look_on(self) -> None:
        """Look again at what was not complete."""
        while True:
            due = self.candidates.due_at()
            wait_s = None if due is None else max(due - time.monotonic(), 0.01)
            self._due_now.clear()
            await _within(self._due_now.wait(), wait_s)
            for found in self.candidates.due(time.monotonic()):
                self._look(found, How.SCANNED)
            await asyncio.sleep(0)

    # Scans

    async def _scan_on(self) -> None:
        while True:
            self._scan_now.clear()
            began = time.monotonic()
            try:
                await self.scan()
            except OSError as error:
                self._in_trouble(f"{self.root} cannot be read: {error.strerror}")
            period_s = self._folder.poll_s if self._folder.polling else self._folder.rescan_s
            if self.trouble:
                period_s = min(period_s, RETRY_S)
            elif self.candidates.take_full():
                period_s = 0.0
            took_s = time.monotonic() - began
            if not self.trouble:
                await asyncio.sleep(min(took_s, period_s))  # so that it does not only scan
            await _within(self._scan_now.wait(), period_s)

    async def scan(self) -> None:
        """Look at all of it. Raise OSError when it cannot be read."""
        memory, root = self._memory, self.root
        if self._heard is None and not memory.root(self.name)[1]:
            return  # what the ledger knows decides what becomes of what is there
        here = scanning.root_of(root)
        if here is None:
            self._in_trouble(f"{root} is not there")
            return
        if scanning.is_another(memory, self.name, root, here):
            self._in_trouble(f"none of the known files is in {root}: is its disk mounted?")
            return
        self._watch(here)
        memory.set_root(self.name, here)
        began, seen, unread = time.monotonic(), set[str](), tuple[str, ...]()
        counts: dict[str, int] = {}
        async for piece in scanning.pieces(root, self._folder.scan_files_per_s):
            known = self._take(piece)
            counts[piece.folder] = counts.get(piece.folder, 0) + known
            if piece.is_unread:
                unread += (f"{piece.folder}/",)
            elif piece.is_last:
                seen.add(piece.folder)
                if memory.count(self.name, piece.folder) != counts.pop(piece.folder):
                    self._look_for_gone(piece.folder, here)
        self._look_for_gone_folders(seen, unread, here)
        self._in_trouble("")
        memory.set_scanned(self.name)
        self.scanned_at, self.scan_s = time.time(), time.monotonic() - began
        self.scans += 1

    def _take(self, piece: scanning.Piece) -> int:
        """Look at files of a folder. Return how many of them are known, in whatever state."""
        folder, entries = piece.folder, piece.entries
        rows = self._memory.known(self.name, folder, [entry.name for entry in entries])
        ignored: list[tuple[str, Look, str]] = []
        ignores = self._ignores()
        for name, seen in entries:
            row = rows.get(name)
            if row is not None and row.look == seen:
                continue
            found = self._rules.found(joined(folder, name))
            if found is None or found.path != joined(folder, name):
                continue
            look = contents.look_at(self.root, found) if found.companions else seen
            if look is None or (row is not None and row.look == look):
                continue
            if ignores:
                ignored.append((found.path, look, "it was there when the volume was first watched"))
            elif found.path not in self._reading:
                self._consider(found, look, How.SCANNED)
        if ignored:
            self._memory.note(self.name, ignored, Known.IGNORED, time.time())
        return len(rows) + len(ignored)

    def _ignores(self) -> bool:
        """Whether what is found is not announced: this is the first look at what was there."""
        if self._memory.root(self.name)[1]:
            return False
        lost = self._heard is not None and self._heard.memory not in ("", self._life[0])
        return lost or self._folder.existing == "ignore"

    @property
    def _life(self) -> tuple[str, int]:
        return self._memory.life(self.name)

    def _look_for_gone(self, folder: str, here: str) -> None:
        for paths in scanning.gone_of(self._memory, self.name, self.root, folder):
            if scanning.root_of(self.root) != here:
                raise OSError(errno.ENOENT, "it went while it was looked at")
            if paths and self._memory.gone(self.name, paths, "the file is gone"):
                self._send_now.set()

    def _look_for_gone_folders(self, seen: set[str], unread: tuple[str, ...], here: str) -> None:
        after, is_first = "", True
        while True:
            folders = self._memory.folders(self.name, after, scanning.PIECE)
            if is_first and self._memory.count(self.name, "") and "" not in seen:
                folders = ["", *folders]
            is_first = False
            if not folders:
                return
            after = folders[-1]
            for folder in folders:
                if folder not in seen and not f"{folder}/".startswith(unread):
                    self._look_for_gone(folder, here)

    def _in_trouble(self, text: str) -> None:
        if text != self.trouble:
            if text:
                log.warning("volume %s: %s; nothing of it counts as gone", self.name, text)
            else:
                log.info("volume %s: it is there again", self.name)
            self.trouble = text
            self._beat_now.set()
        if text:
            self._watch_no_more()

    def _watch(self, here: str) -> None:
        """Hear of changes, where the file system tells of them."""
        if self._folder.polling:
            return
        if self._notices is not None and self._memory.root(self.name)[0] == here:
            return
        self._watch_no_more()
        try:
            self._notices = Notices(self.root, self.told)
        except OSError as error:
            log.warning(
                "volume %s: changes are not told of (%s); it is looked at every %g s instead",
                self.name,
                error.strerror or error,
                self._folder.rescan_s,
            )

    def _watch_no_more(self) -> None:
        if self._notices is not None:
            self._notices.close()
            self._notices = None

    # Reading

    async def _read_on(self) -> None:
        """Read complete files, and remember what is to be announced of them."""
        while True:
            await self._read_now.wait()
            self._read_now.clear()
            while self._reading:
                await self._read_some()

    async def _read_some(self) -> None:
        ready: dict[str, list[tuple[FileSeen, Look]]] = {}
        kept_out: list[tuple[str, Look, str]] = []
        some = list(itertools.islice(self._reading.items(), READ_MAX))
        for key, (found, look, group) in some:
            try:
                file = await asyncio.to_thread(contents.read, self.root, found, look)
            except contents.Unreadable as error:
                log.warning("volume %s: %s is kept out: %s", self.name, found.path, error)
                kept_out.append((found.path, look, str(error)))
                continue
            if file is None:
                self._look(found, How.CHANGED)  # it is being written again
            elif key in self._reading:  # it has not gone meanwhile
                ready.setdefault(group, []).append((file, look))
        now = time.time()
        for group, files in ready.items():
            self._memory.announce(self.name, files, now, group)
            self.announced += len(files)
            self._send_now.set()
        if kept_out:
            self._memory.note(self.name, kept_out, Known.KEPT_OUT, now)
            self.kept_out += len(kept_out)
            self._beat_now.set()
        for key, was in some:
            if self._reading.get(key) is was:
                del self._reading[key]
        if not self._reading:
            self._read_all.set()

    # The dispatcher

    async def _send_on(self) -> None:
        """Tell what is unsent, in its order."""
        while True:
            self._send_now.clear()
            try:
                while self._heard is not None and await self._send_some():
                    pass
            except Closed:
                return
            except Refused as refused:
                self._refused(refused)
                await asyncio.sleep(RETRY_S)
                self._send_now.set()
            except SupervisorError as error:
                log.debug("volume %s: %s", self.name, error)
                await asyncio.sleep(RETRY_S)
                self._send_now.set()
            await self._send_now.wait()

    async def _send_some(self) -> bool:
        unsent = self._memory.unsent(self.name, BATCH)
        if not unsent:
            return False
        memory, _ = self._life
        parts, files = 0, list[FileSeen]()
        for one in unsent:
            if one.file is None or (files and parts + len(one.file.parts) > PARTS_MAX):
                break
            parts += len(one.file.parts)
            files.append(one.file)
        if files:
            unsent = unsent[: len(files)]
            await self._supervisor.records_announce(
                self.name,
                files,
                host=self.host,
                folder=str(self.root),
                memory=memory,
                number=unsent[0].number,
                group=unsent[0].group or None,
            )
        else:
            await self._supervisor.records_gone(
                self.name, [one.path for one in unsent], unsent[0].reason
            )
        if self._life[0] == memory:
            self._memory.sent(self.name, unsent[-1].place)
        return True

    def _refused(self, refused: Refused) -> None:
        result = refused.result
        code = result.code if isinstance(result, RecordsRefused) else None
        if code is RecordsCode.GAP and isinstance(result, RecordsRefused):
            log.warning("volume %s: %s; what it had heard is announced again", self.name, refused)
            self._memory.begin_anew(self.name, result.number)
            self._scan_now.set()
        elif code is not RecordsCode.FULL:
            log.warning("volume %s: %s", self.name, refused)

    async def _beat_on(self) -> None:
        while True:
            self._beat_now.clear()
            wait_s = BEAT_S
            try:
                await self._beat()
            except Closed:
                return
            except Nobody as error:
                log.debug("volume %s: %s", self.name, error)
                wait_s = RETRY_S
            except SupervisorError as error:
                log.warning("volume %s: %s", self.name, error)
            await _within(self._beat_now.wait(), wait_s)

    async def _beat(self) -> None:
        memory = self._memory
        kept_out = memory.kept_out(self.name, QUARANTINE_MAX)
        told = [f"{one.path} {one.generation}" for one in kept_out]
        taken = memory.taken(self.name)
        heard = await self._supervisor.records_watch(
            self.name,
            host=self.host,
            memory=self._life[0],
            folder=str(self.root),
            disk=self._disk(),
            known=memory.count(self.name),
            waiting=len(self.candidates) + len(self._reading),
            unsent=memory.count_unsent(self.name),
            scanned_at=self.scanned_at,
            scan_s=self.scan_s,
            trouble=self.trouble,
            quarantine=kept_out if told != self._told_kept_out else None,
            taken=taken,
        )
        self._told_kept_out = told
        self.hear(heard)
        memory.forget_orders(self.name, (order.id for order in heard.orders))
        for order in heard.orders:
            if order.id not in taken:
                await self._carry_out(order)

    def hear(self, heard: WatchResult) -> None:
        """Take what the ledger knows of this memory."""
        is_first, self._heard = self._heard is None, heard
        memory, number = self._life
        if heard.memory == memory and heard.number > number:
            log.warning("volume %s: this memory is older than what was announced", self.name)
            self._memory.go_behind(self.name, heard.number)
        if is_first:
            if heard.memory not in ("", memory) and self._is_new:
                log.warning(
                    "volume %s: the watcher's memory was lost: what is there now counts as "
                    "announced; `shotline records scan %s` announces it again",
                    self.name,
                    self.name,
                )
            self._send_now.set()
            self._scan_now.set()

    @property
    def has_heard(self) -> bool:
        """Whether the dispatcher has answered."""
        return self._heard is not None

    def _disk(self) -> DiskSpace | None:
        try:
            told = shutil.disk_usage(self.root)
        except OSError:
            return None
        return DiskSpace(path=str(self.root), total_b=told.total, free_b=told.free)

    async def _carry_out(self, order: WatchOrder) -> None:
        """Announce again, or at last, what fits an order."""
        count = 0
        memory = self._memory
        wanted = Known.ANNOUNCED if order.kind is OrderKind.REPLAY else None
        begun = memory.begin_order(self.name, order.id)
        async for piece in scanning.pieces(self.root, self._folder.scan_files_per_s):
            rows = memory.known(self.name, piece.folder, [one.name for one in piece.entries])
            for name, row in rows.items():
                path = joined(piece.folder, name)
                if order.since and row.look.mtime_ns < order.since * 1e9:
                    continue
                if order.pattern and not fnmatch.fnmatchcase(path, order.pattern):
                    continue
                if (row.state is not wanted) if wanted else (row.state is Known.ANNOUNCED):
                    continue
                if row.number > begun:
                    continue  # it was announced since: before a kill, or as it came
                found = self._rules.found(path)
                if found is None:
                    continue
                look = contents.look_at(self.root, found)
                if look is not None:
                    self._reading[f"{path}\0{order.id}"] = (found, look, order.group or "")
                    count += 1
            await self._read_them()
        said = f"{count} files"
        memory.take(self.name, order.id, said)
        log.info("volume %s: %s as ordered: %s", self.name, order.kind, said)
        self._scan_now.set()
        self._beat_now.set()

    async def _read_them(self) -> None:
        """Return when what was to be read has been read."""
        self._read_all.clear()
        if self._reading:
            self._read_now.set()
            await self._read_all.wait()


async def _within(wait: Awaitable[object], timeout_s: float | None) -> None:
    """Wait for something, no longer than so many seconds."""
    try:
        async with asyncio.timeout(timeout_s):
            await wait
    except TimeoutError:
        pass
