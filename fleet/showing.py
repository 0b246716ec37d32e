"""What is shown of the fleet as a whole: totals, absent servers, what differs, alerts. Pure."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Literal

from msgspec import structs

from shotline.common.fleet.views import (
    Alert,
    AlertKind,
    Flag,
    FlagKind,
    FleetTotals,
    FleetView,
)
from shotline.common.views import ServerView
from shotline.fleet.expecting import THERE, difference_of
from shotline.fleet.machine import FleetMachine

_SAID_GOODBYE = "said goodbye"  # as the broker words it


class Showing:
    """Makes views of what the machine knows; remembers since when there is an alert."""

    def __init__(self, machine: FleetMachine) -> None:
        self._machine = machine
        self._core = machine.core
        self._since: dict[tuple[AlertKind, str], float] = {}

    def absent(self, there: Container[str]) -> dict[str, ServerView]:
        """Return those that were there or are expected, and have not registered."""
        fold = self._core.fold
        found = {}
        for name, last in fold.gone.items():
            if name not in there:
                settings = fold.of(name).settings if name in fold.servers else None
                found[name] = structs.replace(
                    last, liveness="absent", flags=(), settings=settings, usable=0, busy=()
                )
        for name, one in fold.expected.items():
            if name not in there and name not in found:
                server_class, _, server_id = name.partition(":")
                found[name] = ServerView(
                    server=name,
                    server_class=server_class,
                    server_id=server_id,
                    liveness="absent",
                    why="it is expected, and was never there",
                    host=one.host or "",
                    labels=one.labels or (),
                    settings=fold.servers[name].settings if name in fold.servers else None,
                )
        return found

    def differing(self, views: Sequence[ServerView]) -> dict[str, tuple[Flag, ...]]:
        """Return for each server that has registered in what it is not as it should be."""
        usual = _usual(views)
        found = {}
        for view in views:
            texts = []
            expected = self._core.fold.expected.get(view.server)
            if expected is not None and view.liveness in THERE:
                texts = [
                    f"{one.what} is {one.found or 'none'}, expected {one.expected or 'none'}"
                    for one in difference_of(expected, view)
                ]
            texts += _unlike(view, usual)
            flags: tuple[Flag, ...] = ()
            if texts:
                at = self._at(AlertKind.DIFFERS, view.server)
                flags = (Flag(kind=FlagKind.DIFFERS, reason="; ".join(texts), at=at),)
            found[view.server] = flags
        return found

    def view(self, wall: float, views: Sequence[ServerView]) -> FleetView:
        """Return the whole; `views`: of all servers that have registered."""
        absent = self.absent({view.server for view in views})
        there = {view.server for view in views if view.liveness in THERE}
        missing = tuple(sorted(name for name in self._core.fold.expected if name not in there))
        alerts = tuple(self._alerts([*views, *absent.values()], missing, wall))
        known = {(alert.kind, alert.about) for alert in alerts}
        self._since = {one: at for one, at in self._since.items() if one in known}
        return FleetView(
            totals=_totals(views, len(absent)),
            windows=self._machine.planning.views(),
            expected_missing=missing,
            alerts=alerts,
        )

    def news(
        self, before: FleetView, now: FleetView
    ) -> Iterator[tuple[Literal["info", "warning"], str]]:
        """Yield what the log says of alerts that have come or gone."""
        was = {(one.kind, one.about): one for one in before.alerts}
        is_now = {(one.kind, one.about): one for one in now.alerts}
        for key, alert in is_now.items():
            if key not in was:
                yield "warning", f"fleet: {alert.about}: {alert.text}"
        for key, alert in was.items():
            if key not in is_now:
                yield "info", f"fleet: {alert.about}: no longer: {alert.text}"

    def _at(self, kind: AlertKind, about: str) -> float:
        return self._since.setdefault((kind, about), self._core.wall)

    def _alerts(
        self, views: Sequence[ServerView], missing: tuple[str, ...], wall: float
    ) -> Iterator[Alert]:
        for name in missing:
            yield self._alert(AlertKind.MISSING, name, "it is expected, and is not there")
        for view in views:
            if view.server not in missing and view.liveness == "lost" and not _has_left(view):
                yield self._alert(AlertKind.LOST, view.server, f"it was lost: {view.why}")
            for flag in view.flags:
                kind = _ALERTED.get(flag.kind)
                if kind is not None:
                    yield self._alert(kind, view.server, flag.reason)
            drain = view.settings.drain if view.settings is not None else None
            deadline = drain.deadline if drain is not None else None
            if view.busy and deadline is not None and wall >= deadline:
                text = f"the deadline of its drain has passed, and it runs {view.busy[0]}"
                yield self._alert(AlertKind.LATE, view.server, text)
        for conflict in self._machine.planning.conflicts():
            yield self._alert(AlertKind.WINDOW, conflict.window, conflict.text)

    def _alert(self, kind: AlertKind, about: str, text: str) -> Alert:
        return Alert(kind=kind, about=about, text=text, at=self._at(kind, about))


_ALERTED = {
    FlagKind.DIFFERS: AlertKind.DIFFERS,
    FlagKind.FAILING: AlertKind.FAILING,
    FlagKind.STUCK: AlertKind.STUCK,
}


def _has_left(view: ServerView) -> bool:
    """Return whether a server that is lost has ended in order."""
    return _SAID_GOODBYE in view.why or any(one.kind is FlagKind.LEAVING for one in view.flags)


def _totals(views: Sequence[ServerView], absent: int) -> FleetTotals:
    counts = Counter(view.liveness for view in views)
    there = [view for view in views if view.liveness in THERE]
    facts = [view.facts for view in there if view.facts is not None]
    return FleetTotals(
        hosts=len({view.host for view in there if view.host}),
        servers=len(there),
        alive=counts["alive"],
        suspect=counts["suspect"],
        lost=counts["lost"],
        absent=absent,
        slots=sum(view.slots for view in there),
        usable=sum(view.usable for view in there),
        busy=sum(len(view.busy) for view in there),
        done=sum(one.done for one in facts),
        failed=sum(one.failed for one in facts),
        cpu_time_s=sum(one.cpu_time_s for one in facts),
    )


_Usual = dict[str, tuple[str, str]]  # class → version and configuration that most have


def _usual(views: Iterable[ServerView]) -> _Usual:
    """Return what most servers of a class have; nothing where there is no such thing."""
    by_class: dict[str, list[ServerView]] = {}
    for view in views:
        if view.liveness in THERE:
            by_class.setdefault(view.server_class, []).append(view)
    return {
        name: (
            _most(view.version for view in members),
            _most(view.facts.config_hash for view in members if view.facts is not None),
        )
        for name, members in by_class.items()
    }


def _most(values: Iterable[str]) -> str:
    found = Counter(value for value in values if value)
    return found.most_common(1)[0][0] if found else ""


def _unlike(view: ServerView, usual: _Usual) -> list[str]:
    """Return in what a server is not like the others of its class."""
    if view.liveness not in THERE or view.server_class not in usual:
        return []
    version, config_hash = usual[view.server_class]
    texts = []
    if version and view.version and view.version != version:
        texts.append(f"version is {view.version}, most of its class have {version}")
    own = view.facts.config_hash if view.facts is not None else ""
    if config_hash and own and own != config_hash:
        texts.append("its configuration is not that of most of its class")
    return texts
