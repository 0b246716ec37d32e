"""The operations that set servers to something: slots, hours, drains, how much they serve. Pure."""

from collections.abc import Callable, Iterator
from typing import Final

from shotline.common.fleet import commands as f
from shotline.common.fleet.records import ServersDismissed
from shotline.common.fleet.settings import Hours, HoursState, Select, time_of_day
from shotline.common.fleet.views import FleetAnswer, FleetAnswers
from shotline.common.messages import Outcome
from shotline.fleet.core import FleetCore
from shotline.fleet.events import FleetDone, Forget, SetHeartbeat
from shotline.fleet.refusal import FleetRefusal
from shotline.fleet.selecting import Known, in_words, is_meant
from shotline.fleet.world import ServerState

_NAMED_MAX: Final = 20
_THEN: Final = {
    "resume": "then takes work again",
    "restart": "then begins anew",
    "quit": "then ends",
    "stay": "until it is resumed",
}
_ABSENT: Final = "it is not there; this counts when it is"


class NotDone(Exception):
    """A server is left as it was; the text says why."""


class Setting:
    """Sets servers, and says of each what it does now, or why not."""

    def __init__(self, core: FleetCore, zone: str) -> None:
        self._core = core
        self.zone = zone  # of hours that name none

    def slots(self, command: f.FleetSlots, user: str) -> FleetDone:
        """Set how many slots servers use."""

        def act(server: Known, state: ServerState | None) -> str:
            wanted = command.slots
            if state is None:
                self._core.set(server.name, user, command.reason, slots=wanted)
                return _ABSENT
            if wanted is not None and abs(wanted) > state.slots:
                raise NotDone(f"it has {_slots(state.slots)} only; it is left as it was")
            self._core.set(server.name, user, command.reason, slots=wanted)
            used = self._core.fold.of(server.name).settings.slots_of(state.slots)
            more = state.running - used
            text = f"uses {used} of its {_slots(state.slots)}"
            if used == state.slots:
                text = f"uses all of its {_slots(state.slots)}"
            going = f"; {state.running} actions run, nothing starts before {more + 1} of them end"
            return text + (going if more > 0 else "")

        return self._each(command.select, act)

    def hours(self, command: f.FleetHours, user: str) -> FleetDone:
        """Set when servers work."""
        core = self._core
        given = {name: getattr(command, name) for name in ("start", "stop", "end")}
        if not command.clear and not any(given.values()):
            raise FleetRefusal("these hours say nothing: give start, stop or end, or clear them")

        def act(server: Known, state: ServerState | None) -> str:
            if command.clear:
                core.set(server.name, user, command.reason, hours=None)
                return "works at any time" if state is not None else _ABSENT
            before = core.fold.of(server.name).settings.hours or Hours(zone=self.zone)
            hours = self._changed(before, given, command.zone)
            if hours is None:
                core.set(server.name, user, command.reason, hours=None)
                return "works at any time"
            trouble = hours.trouble()
            if trouble:
                raise NotDone(trouble)
            core.set(server.name, user, command.reason, hours=hours)
            return hours_in_words(hours, core.wall) + ("" if state is not None else f"; {_ABSENT}")

        return self._each(command.select, act)

    def _changed(
        self, before: Hours, given: dict[str, str | None], zone: str | None
    ) -> Hours | None:
        """Return the hours with what was given; None where no time is left."""
        zone = zone or before.zone
        times = {"start": before.start, "stop": before.stop, "end": before.end}
        for name, at in given.items():
            if at == "off":
                times[name] = None
            elif at == "now":
                try:
                    times[name] = time_of_day(self._core.wall, zone)
                except ValueError as error:
                    raise NotDone(str(error)) from error
            elif at is not None:
                times[name] = at
        return Hours(**times, zone=zone) if any(times.values()) else None

    def drain(self, command: f.FleetDrain, user: str) -> FleetDone:
        """Let servers take nothing more."""
        core, drain = self._core, command.drain(self._core.wall)
        if drain.deadline is not None and drain.deadline <= core.wall and command.within_s is None:
            raise FleetRefusal("the deadline is over already: give a later one, or mode now")

        def act(server: Known, state: ServerState | None) -> str:
            core.set(server.name, user, command.reason, drain=drain)
            if state is None:
                return _ABSENT
            then = _THEN[drain.then]
            if not state.running:
                return f"takes nothing more, and is empty; {then}"
            ends = f"its {state.running} actions run on"
            if drain.mode == "now":
                ends = f"its {state.running} actions are ended"
            elif drain.deadline is not None:
                ends += f", {max(drain.deadline - core.wall, 0.0):.0f} s at the most"
            return f"takes nothing more; {ends}; {then}"

        return self._each(command.select, act)

    def resume(self, command: f.FleetResume, user: str) -> FleetDone:
        """Let servers take work again."""
        core = self._core

        def act(server: Known, state: ServerState | None) -> str:
            if core.fold.of(server.name).settings.drain is None:
                raise NotDone("it is not drained")
            core.set(server.name, user, command.reason, drain=None)
            if state is None:
                return _ABSENT
            standing = core.standing(state, core.open_windows())
            if standing is not None and standing.barred:
                return f"is drained no longer, but takes nothing: {standing.barred}"
            return "takes work again"

        return self._each(command.select, act)

    def quit_after(self, command: f.FleetQuitAfter, user: str) -> FleetDone:
        """Let servers end once they have served so much more."""
        core, after = self._core, command.after

        def act(server: Known, state: ServerState | None) -> str:
            core.set(server.name, user, command.reason, quit_after=after)
            if state is None:
                return _ABSENT
            if after is None:
                return "serves for ever"
            if after.n == 0:
                what = f"once its {state.running} actions have ended" if state.running else "now"
                return f"takes nothing more, and ends {what}"
            one = after.unit.removesuffix("s")
            return f"serves {after.n} more {one if after.n == 1 else after.unit}, and ends then"

        return self._each(command.select, act)

    def heartbeat(self, command: f.FleetHeartbeat, user: str) -> FleetDone:
        """Set how often servers tell of themselves, or ask them now."""
        core = self._core

        def act(server: Known, state: ServerState | None) -> str:
            every_s = core.fold.of(server.name).settings.heartbeat_s
            if not command.now:
                every_s = command.every_s
                core.set(server.name, user, command.reason, heartbeat_s=every_s)
            if state is None:
                if command.now:
                    raise NotDone("it is not there")
                return _ABSENT
            core.out.append(SetHeartbeat(server.name, every_s, command.now))
            if command.now:
                return "was asked"
            return (
                f"tells of itself {'as configured' if every_s is None else f'every {every_s:g} s'}"
            )

        return self._each(command.select, act)

    def dismiss(self, command: f.FleetDismiss, user: str) -> FleetDone:
        """Forget servers that are gone."""
        core = self._core

        def act(server: Known, state: ServerState | None) -> str:
            if state is not None:
                raise NotDone("it is there: end it first")
            gone.append(server.name)
            return "is forgotten"

        gone: list[str] = []
        done = self._each(command.select, act)
        if gone:
            core.put(
                ServersDismissed(
                    time=core.wall, by=user, reason=command.reason, servers=tuple(gone)
                )
            )
            core.out.append(Forget(tuple(gone)))
        return done

    def _each(self, select: Select, act: Callable[[Known, ServerState | None], str]) -> FleetDone:
        """Act on each server that is meant."""
        answers = []
        for server in self._meant(select):
            try:
                text = act(server, self._core.world.server(server.name))
                answers.append(FleetAnswer(server=server.name, done=True, text=text))
            except NotDone as error:
                answers.append(FleetAnswer(server=server.name, done=False, text=str(error)))
        return answered(answers)

    def _meant(self, select: Select) -> Iterator[Known]:
        if select.is_empty:
            raise FleetRefusal("which servers? select some, or all by the pattern *")
        servers = self._core.all_known()
        found = [server for server in servers.values() if is_meant(select, server)]
        if not found:
            names = ", ".join(list(servers)[:_NAMED_MAX]) or "none"
            more = f" and {len(servers) - _NAMED_MAX} more" if len(servers) > _NAMED_MAX else ""
            text = f"no server is meant by {in_words(select)}; known: {names}{more}"
            raise FleetRefusal(text, unknown=True)
        return iter(found)


def answered(answers: list[FleetAnswer]) -> FleetDone:
    """Return the answer for several servers."""
    good = sum(one.done for one in answers)
    outcome = Outcome.OK if good == len(answers) else Outcome.FAILED if good else Outcome.REFUSED
    if len(answers) == 1:
        text = f"{answers[0].server}: {answers[0].text}"
    elif good == len(answers):
        text = f"{good} servers"
    else:
        bad = [f"{one.server}: {one.text}" for one in answers if not one.done]
        more = f"; and {len(bad) - _NAMED_MAX} more" if len(bad) > _NAMED_MAX else ""
        text = f"{good} of {len(answers)} servers; not {'; '.join(bad[:_NAMED_MAX])}{more}"
    return FleetDone(outcome, text, FleetAnswers(answers=tuple(answers)))


def hours_in_words(hours: Hours, wall: float) -> str:
    """Return when a server works, and what it does now."""
    parts = [f"works from {hours.start or '00:00'}"]
    if hours.stop is not None or hours.end is None:
        parts.append(f"takes nothing more from {hours.stop or '00:00'}")
    if hours.end is not None:
        parts.append(f"ends what it runs at {hours.end}")
    now = {
        HoursState.OPEN: "it takes work now",
        HoursState.NO_NEW: "it takes nothing now",
        HoursState.ENDED: "it works no more now",
    }[hours.state(wall)]
    changes = hours.next_change(wall)
    until = f", until {time_of_day(changes, hours.zone)}" if changes is not None else ""
    return f"{', '.join(parts)} ({hours.zone}); {now}{until}"


def _slots(count: int) -> str:
    return f"{count} slot{'' if count == 1 else 's'}"
