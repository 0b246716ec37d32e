"""The expected fleet: kept, and compared with the servers that are there. Pure."""

from collections.abc import Iterable, Iterator
from typing import Final

from shotline.common.base import to_json
from shotline.common.fleet import commands as f
from shotline.common.fleet.records import ExpectedSet
from shotline.common.fleet.settings import ServerSettings
from shotline.common.fleet.views import Difference, ExpectedServer, FleetExpectedResult
from shotline.common.messages import Outcome
from shotline.common.views import ServerView
from shotline.fleet.core import FleetCore
from shotline.fleet.events import FleetDone
from shotline.fleet.refusal import FleetRefusal

THERE: Final = ("alive", "suspect")


class Expecting:
    """Knows which servers should be there, and as what."""

    def __init__(self, core: FleetCore) -> None:
        self._core = core

    def expect(self, command: f.FleetExpect, user: str) -> FleetDone:
        """Keep which servers are expected."""
        core = self._core
        servers = self.present() if command.servers is None else command.servers
        names = [one.server for one in servers]
        twice = sorted({name for name in names if names.count(name) > 1}) if servers else []
        if twice:
            raise FleetRefusal(f"named more than once: {', '.join(twice)}")
        core.put(ExpectedSet(time=core.wall, by=user, reason=command.reason, servers=servers))
        found = self._result(servers)
        text = f"{len(servers)} servers are expected; {_count(found.differences)}"
        return FleetDone(Outcome.OK, text, found)

    def compare(self, command: f.FleetExpected) -> FleetDone:
        """Compare what is there with what is kept, or with what was sent."""
        if command.now:
            return FleetDone(Outcome.OK, "", self._result(self.present()))
        servers = command.servers
        if servers is None:
            servers = tuple(self._core.fold.expected.values())
        found = self._result(servers)
        return FleetDone(Outcome.OK, _count(found.differences), found)

    def _result(self, servers: tuple[ExpectedServer, ...]) -> FleetExpectedResult:
        note = self._core.fold.expected_note
        return FleetExpectedResult(
            expected=servers,
            by=note.by,
            at=note.at,
            differences=tuple(self.differences(servers, self._core.world.views())),
        )

    def present(self) -> tuple[ExpectedServer, ...]:
        """Return the servers that are there, as they are."""
        return tuple(
            ExpectedServer(
                server=view.server,
                host=view.host,
                slots=view.slots,
                labels=view.labels,
                version=view.version,
                config_hash=view.facts.config_hash if view.facts is not None else None,
                settings=_lasting(view.settings),
            )
            for view in sorted(self._core.world.views(), key=lambda one: one.server)
            if view.liveness in THERE
        )

    def differences(
        self, servers: tuple[ExpectedServer, ...], views: Iterable[ServerView]
    ) -> Iterator[Difference]:
        """Yield what is not as expected, server by server."""
        there = {view.server: view for view in views if view.liveness in THERE}
        for one in servers:
            view = there.pop(one.server, None)
            if view is None:
                yield Difference(server=one.server, what="missing", expected=one.host or "")
            else:
                yield from difference_of(one, view)
        if servers:
            for name, view in there.items():
                yield Difference(server=name, what="unexpected", found=view.host)


def difference_of(expected: ExpectedServer, view: ServerView) -> Iterator[Difference]:
    """Yield in what a server that is there is not as expected."""
    name = expected.server
    if expected.host is not None and expected.host != view.host:
        yield Difference(server=name, what="host", expected=expected.host, found=view.host)
    if expected.slots is not None and expected.slots != view.slots:
        yield Difference(
            server=name, what="slots", expected=str(expected.slots), found=str(view.slots)
        )
    if expected.labels is not None and set(expected.labels) != set(view.labels):
        yield Difference(
            server=name,
            what="labels",
            expected=" ".join(sorted(expected.labels)),
            found=" ".join(sorted(view.labels)),
        )
    if expected.version is not None and expected.version != view.version:
        yield Difference(server=name, what="version", expected=expected.version, found=view.version)
    found = view.facts.config_hash if view.facts is not None else None
    if expected.config_hash is not None and found is not None and expected.config_hash != found:
        yield Difference(
            server=name, what="config_hash", expected=expected.config_hash, found=found
        )
    if expected.settings is not None:
        wanted, is_now = expected.settings, _lasting(view.settings) or ServerSettings()
        if wanted != is_now:
            yield Difference(
                server=name,
                what="settings",
                expected=to_json(wanted).decode(),
                found=to_json(is_now).decode(),
            )


def _lasting(settings: ServerSettings | None) -> ServerSettings | None:
    """Return of a server's settings what is there to stay: no drain, no end."""
    if settings is None:
        return None
    kept = ServerSettings(
        slots=settings.slots, hours=settings.hours, heartbeat_s=settings.heartbeat_s
    )
    return kept if kept != ServerSettings() else None


def _count(differences: tuple[Difference, ...]) -> str:
    if not differences:
        return "everything is as expected"
    servers = len({one.server for one in differences})
    return f"{len(differences)} differences, of {servers} servers"
