"""What the journal keeps while dispatchers come and go. A stand-in for time, not for Redis.

The real journal and a real Redis are tested elsewhere; here only its promises count: all or
nothing, in order, nothing of a lower term after a claim.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from shotline.common.journal import EncodedCommit
from shotline.common.records import (
    CommandDone,
    PulseCreated,
    ServerSeen,
    ShotKey,
    ShotRecord,
    TableBuilt,
    decode_records,
)


@dataclass(slots=True)
class Store:
    """All records ever journalled."""

    term: int = 0
    number: int = 0
    shots: dict[ShotKey, list[ShotRecord]] = field(default_factory=dict)
    commands: list[CommandDone] = field(default_factory=list)
    servers: dict[str, ServerSeen] = field(default_factory=dict)
    current: ShotKey | None = None
    newest: dict[str, int] = field(default_factory=dict)
    lines: dict[ShotKey, dict[tuple[str, int], int]] = field(default_factory=dict)
    on_record: Callable[[ShotKey, ShotRecord], None] = lambda _key, _record: None

    def claim(self) -> int:
        """Take the next term; from now on lower ones are refused."""
        self.term += 1
        self.number = 0
        return self.term

    def write(self, commit: EncodedCommit) -> bool:
        """Store a commit. False when its term has passed; a repeat changes nothing."""
        if commit.term != self.term:
            return False
        if commit.number <= self.number:
            return True
        self.number = commit.number
        for key, encoded in commit.shots.items():
            # Through JSON and back, as in Redis.
            for record in decode_records(encoded.body):
                self._take(key, record)  # type: ignore[arg-type]
        for system in commit.system.records:
            if isinstance(system, CommandDone):
                self.commands.append(system)
            elif isinstance(system, ServerSeen):
                self.servers[system.server] = system
        for output in commit.outputs:
            stored = self.lines.setdefault(ShotKey(output.tree, output.shot), {})
            count = output.first + sum(1 + text.count(b"\n") for _, _, text in output.pieces)
            stored[(output.path, output.attempt)] = count
        return True

    def _take(self, key: ShotKey, record: ShotRecord) -> None:
        self.shots.setdefault(key, []).append(record)
        if isinstance(record, PulseCreated):
            self.current = key
        elif isinstance(record, TableBuilt):
            self.newest[key.tree] = key.shot
        self.on_record(key, record)
