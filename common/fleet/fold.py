"""The fleet's state: the fold of its records. All changes go through `apply`. Pure."""

from dataclasses import dataclass, field
from typing import Final

from msgspec import structs

from shotline.common.fleet.records import (
    ExpectedSet,
    FleetKept,
    FleetRecord,
    KeptServer,
    ServerGone,
    ServerOrdered,
    ServersDismissed,
    ServerServed,
    ServerSet,
    SetBy,
    WindowRemoved,
    WindowSet,
)
from shotline.common.fleet.settings import ServerSettings, Window
from shotline.common.fleet.views import ExpectedServer
from shotline.common.views import ServerView

GONE_MAX: Final = 2000  # of those that are gone, the last ones


@dataclass(slots=True)
class FleetFold:
    """Everything that is kept of the fleet."""

    servers: dict[str, KeptServer] = field(default_factory=dict)  # that are set to something
    gone: dict[str, ServerView] = field(default_factory=dict)  # the last gone last
    dismissed: dict[str, float] = field(default_factory=dict)  # when, the last ones last
    windows: dict[str, Window] = field(default_factory=dict)
    expected: dict[str, ExpectedServer] = field(default_factory=dict)
    expected_note: SetBy = field(default_factory=SetBy)

    def apply(self, record: FleetRecord) -> None:
        """Take one record into the state."""
        match record:
            case ServerSet():
                self._set(record)
            case ServerServed(server=server):
                self._served(self.of(server), record)
            case ServerOrdered(server=server):
                kept = self.of(server)
                self.servers[server] = structs.replace(kept, ordered=record.incarnation)
            case ServerGone(last=last):
                self.gone.pop(last.server, None)
                self.gone[last.server] = last
                while len(self.gone) > GONE_MAX:
                    del self.gone[next(iter(self.gone))]
            case ServersDismissed(time=time, servers=servers):
                for server in servers:
                    self.dismissed.pop(server, None)
                    self.dismissed[server] = time
                    if len(self.dismissed) > GONE_MAX:
                        del self.dismissed[next(iter(self.dismissed))]
                    self.gone.pop(server, None)
                    self.servers.pop(server, None)
            case WindowSet(window=window):
                self.windows[window.id] = window
            case WindowRemoved(id=id_):
                self.windows.pop(id_, None)
            case ExpectedSet(servers=expected):
                self.expected = {one.server: one for one in expected}
                self.expected_note = _note(record)
            case FleetKept():
                self._kept(record)

    def of(self, server: str) -> KeptServer:
        """Return what is kept of a server, perhaps nothing."""
        return self.servers.get(server) or KeptServer(server=server)

    def _set(self, record: ServerSet) -> None:
        kept, settings = self.of(record.server), record.settings
        notes = dict(kept.notes)
        for name in record.changed:
            notes.pop(name, None)
            if getattr(settings, name) is not None:
                notes[name] = _note(record)
        if settings == ServerSettings():
            self.servers.pop(record.server, None)
            return
        changed = set(record.changed)
        self.servers[record.server] = structs.replace(
            kept,
            settings=settings,
            notes=notes,
            shots=() if "quit_after" in changed else kept.shots,
            ordered="" if changed & {"quit_after", "drain"} else kept.ordered,
        )

    def _served(self, kept: KeptServer, record: ServerServed) -> None:
        after = kept.settings.quit_after
        if after is None:
            return
        settings = structs.replace(kept.settings, quit_after=structs.replace(after, n=record.left))
        shots = (*kept.shots, record.shot) if record.shot else kept.shots
        self.servers[kept.server] = structs.replace(kept, settings=settings, shots=shots)

    def _kept(self, record: FleetKept) -> None:
        self.servers = {one.server: one for one in record.servers}
        self.gone = {one.server: one for one in record.gone}
        self.dismissed = dict(record.dismissed)
        self.windows = {one.id: one for one in record.windows}
        self.expected = {one.server: one for one in record.expected}
        self.expected_note = record.expected_note

    def kept(self, wall: float) -> FleetKept:
        """Return the whole state as a record."""
        return FleetKept(
            time=wall,
            servers=tuple(self.servers.values()),
            gone=tuple(self.gone.values()),
            dismissed=dict(self.dismissed),
            windows=tuple(self.windows.values()),
            expected=tuple(self.expected.values()),
            expected_note=self.expected_note,
        )


def _note(record: ServerSet | ExpectedSet) -> SetBy:
    return SetBy(by=record.by, reason=record.reason, at=record.time)
