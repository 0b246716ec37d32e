"""A journal in memory: what is kept while dispatchers come and go. Pure.

Only the real journal's promises count here: all or nothing, in order, nothing of a lower term after
a claim. What becomes of them with a real Redis and a real disk is tested elsewhere.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from shotline.common.base import Struct
from shotline.common.queue.plans import HistoryItem
from shotline.common.queue.records import PlanEnded
from shotline.common.records import (
    Audited,
    CommandDone,
    PulseCreated,
    ServerSeen,
    ShotKey,
    ShotRecord,
    StoredOutput,
    TableBuilt,
    decode_records,
    place_of,
)
from shotline.common.views import OutputLine
from shotline.dispatcher.journal import (
    HOSTED,
    AuditRead,
    EncodedCommit,
    Loaded,
    LoadedShot,
    OutputRead,
    ReadAudit,
    ReadOutput,
    ReadShot,
    ShotRead,
)
from shotline.dispatcher.journal.layout import CommitId


@dataclass(slots=True)
class MemoryJournal:
    """All records and all output ever journalled."""

    term: int = 0
    number: int = 0
    shots: dict[ShotKey, list[ShotRecord]] = field(default_factory=dict)
    commands: list[CommandDone] = field(default_factory=list)
    servers: dict[str, ServerSeen] = field(default_factory=dict)
    current: ShotKey | None = None
    newest: dict[str, int] = field(default_factory=dict)
    lines: dict[ShotKey, dict[tuple[str, int], int]] = field(default_factory=dict)
    output: dict[ShotKey, dict[tuple[str, int], list[OutputLine]]] = field(default_factory=dict)
    audit: list[Audited] = field(default_factory=list)
    may_lack_end: bool = False  # what was journalled last may be gone, for the next dispatcher
    hosted: dict[str, list[tuple[CommitId, Struct]]] = field(default_factory=dict)
    history: list[HistoryItem] = field(default_factory=list)
    on_hosted: Callable[[str, tuple[Struct, ...]], None] = lambda _stream, _records: None
    on_record: Callable[[ShotKey, ShotRecord], None] = lambda _key, _record: None

    def claim(self) -> int:
        """Take the next term; from now on lower ones are refused."""
        self.term += 1
        self.number = 0
        return self.term

    def loaded(self) -> Loaded:
        """Return all that is known, for a new dispatcher."""
        return Loaded(
            term=self.term,
            shots={
                key: LoadedShot(tuple(records), self.lines.get(key, {}))
                for key, records in self.shots.items()
            },
            newest=self.newest,
            current=self.current,
            stored=tuple(self.shots),
            commands=tuple(self.commands),
            servers=tuple(self.servers.values()),
            audited=self.audit[-1].id if self.audit else "0-0",
            hosted={stream: tuple(one for _, one in kept) for stream, kept in self.hosted.items()},
            history=tuple(self.history),
            may_lack_end=self.may_lack_end,
        )

    def write(self, commit: EncodedCommit) -> bool:
        """Store a commit. False when its term has passed; a repeat changes nothing."""
        if commit.term != self.term:
            return False
        if commit.number <= self.number:
            return True
        self.number = commit.number
        self.store(commit)
        return True

    def store(self, commit: EncodedCommit) -> None:
        """Take what a commit holds, whatever its number."""
        for stream, one in commit.hosted.items():
            records = HOSTED[stream].decode(one.body)
            self._take_hosted(stream, CommitId(commit.term, commit.number), records)
            self.on_hosted(stream, records)
        for key, encoded in commit.shots.items():
            # Through JSON and back, as in Redis.
            for record in decode_records(encoded.body):
                self._take(key, record)  # type: ignore[arg-type]  # a shot's records only
        for system in commit.system.records:
            if isinstance(system, CommandDone):
                self.commands.append(system)
            elif isinstance(system, ServerSeen):
                self.servers[system.server] = system
            elif isinstance(system, Audited):
                self.audit.append(system)
        for output in commit.outputs:
            self._store(output)

    def read_shot(self, asked: ReadShot) -> ShotRead:
        """Return a shot's records."""
        return ShotRead(asked.query, tuple(self.shots.get(asked.key, ())))

    def read_output(self, asked: ReadOutput) -> OutputRead:
        """Return lines of an attempt's output, and which attempts have any."""
        stored = self.output.get(asked.key, {})
        attempt = asked.attempt or 0
        lines = [
            line for line in stored.get((asked.path, attempt), ()) if line.number >= asked.since
        ]
        return OutputRead(
            asked.query,
            attempt=attempt,
            attempts=tuple(sorted(number for path, number in stored if path == asked.path)),
            lines=tuple(lines[: asked.limit]),
            more=len(lines) > asked.limit,
        )

    def read_audit(self, asked: ReadAudit) -> AuditRead:
        """Return lines of the audit, the newest first."""
        least = place_of(asked.after or "0-0")
        before = None if asked.before is None else place_of(asked.before)
        found: list[Audited] = []
        for line in reversed(self.audit):
            if before is not None and line.place >= before:
                continue
            if line.place <= least:
                break
            if asked.wanted(line):
                found.append(line)
            if len(found) == asked.limit:
                return AuditRead(asked.query, tuple(found), line.id)
        return AuditRead(asked.query, tuple(found))

    def _take_hosted(self, stream: str, id_: CommitId, records: Iterable[Struct]) -> None:
        kept = self.hosted.setdefault(stream, [])
        for record in records:
            kept.append((id_, record))
            if isinstance(record, PlanEnded):
                self.history.append(record.item)
        for record in records:
            begins = HOSTED[stream].begins(record, str(id_))
            if begins is not None:
                first = CommitId.parse(begins.encode())
                kept[:] = [one for one in kept if one[0] >= first]

    def _take(self, key: ShotKey, record: ShotRecord) -> None:
        self.shots.setdefault(key, []).append(record)
        if isinstance(record, PulseCreated):
            self.current = key
        elif isinstance(record, TableBuilt):
            self.newest[key.tree] = key.shot
        self.on_record(key, record)

    def _store(self, output: StoredOutput) -> None:
        key, attempt = ShotKey(output.tree, output.shot), (output.path, output.attempt)
        kept = self.output.setdefault(key, {}).setdefault(attempt, [])
        number = output.first
        for at, stream, text in output.pieces:
            for line in text.decode("utf-8", "backslashreplace").split("\n"):
                kind: Literal[0, 1, 2] = 2 if stream == 2 else 1 if stream == 1 else 0
                kept.append(OutputLine(number=number, at=at, stream=kind, text=line))
                number += 1
        self.lines.setdefault(key, {})[attempt] = number
