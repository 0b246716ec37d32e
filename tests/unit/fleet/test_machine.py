"""The fleet's machine with servers that are only said to be there: what it orders, and when."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from shotline.common.base import to_json
from shotline.common.fleet import commands as f
from shotline.common.fleet.records import FleetRecord, decode_fleet_records
from shotline.common.fleet.settings import QuitAfter, Repeat, Select
from shotline.common.fleet.views import ExpectedServer, FlagKind
from shotline.common.machine import Instant
from shotline.common.messages import Outcome
from shotline.common.views import ServerView
from shotline.fleet.events import (
    ActionEnded,
    ActionGiven,
    EndActions,
    FleetDone,
    FleetInput,
    FleetOutput,
    Forget,
    Keep,
    Lost,
    Operation,
    Order,
    Recovered,
    Registered,
    RunBegun,
    RunOver,
    ServersChanged,
    Stands,
    TimePassed,
)
from shotline.fleet.machine import FleetMachine
from shotline.fleet.showing import Showing
from shotline.fleet.standing import Standing
from shotline.fleet.world import PlanAhead, ServerState

ALL = Select(servers=("*",))
NOON = 1_780_315_200.0  # 2026-06-01 12:00 UTC, a Monday


@dataclass
class Site:
    """Servers that are there, and a machine that steers them."""

    states: dict[str, ServerState] = field(default_factory=dict)
    ahead: tuple[PlanAhead, ...] = ()
    wall: float = NOON
    out: list[FleetOutput] = field(default_factory=list)
    kept: list[FleetRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("A:1", "A:2", "B:1"):
            self.states[name] = ServerState(
                name, name[0], f"host-{name[0]}".lower(), (), f"{name} life", 4, 0, True, False
            )
        self.machine = FleetMachine(self, self.instant, "UTC")

    @property
    def instant(self) -> Instant:
        return Instant(self.wall - NOON, self.wall)

    def servers(self) -> Iterable[ServerState]:
        return self.states.values()

    def server(self, name: str) -> ServerState | None:
        return self.states.get(name)

    def views(self) -> Iterable[ServerView]:
        return [
            ServerView(
                server=one.name,
                server_class=one.server_class,
                server_id=one.name[2:],
                liveness="alive",
                host=one.host,
                slots=one.slots,
                version="1.0",
            )
            for one in self.states.values()
        ]

    def plans(self) -> Iterable[PlanAhead]:
        return self.ahead

    def change(self, name: str, **fields: object) -> None:
        """Let something change with a server, and tell of it."""
        self.states[name] = self.states[name]._replace(**fields)  # type: ignore[arg-type]
        self.tell(ServersChanged((name,)))

    def tell(self, event: FleetInput) -> None:
        self._take(self.machine.handle(self.instant, event))

    def ask(self, command: f.AnyFleetCommand) -> FleetDone:
        done, out = self.machine.operate(self.instant, Operation("id-1", command, "eve"))
        self._take(out)
        return done

    def texts(self, command: f.AnyFleetCommand) -> dict[str, str]:
        """Return what a command did for each server."""
        result = self.ask(command).result
        assert result is not None
        return {one.server: one.text for one in result.answers}  # type: ignore[union-attr]

    def wait(self, seconds: float) -> None:
        """Let time pass, as its wake-ups say."""
        until = self.wall + seconds
        while True:
            due = self.machine.wake_at()
            if due is None or NOON + due > until:
                break
            self.wall = max(NOON + due, self.wall + 0.001)
            self.tell(TimePassed())
        self.wall = until
        self.tell(TimePassed())

    def standing(self, name: str) -> Standing:
        return self.machine.core.standings[name]

    def is_free(self, name: str) -> bool:
        found = self.machine.core.standings.get(name)
        return found is None or not found.barred

    def after_restart(self) -> "Site":
        """Return the site with a machine that has read what was kept."""
        again = Site(dict(self.states), self.ahead, self.wall)
        again.states = dict(self.states)
        body = b"[" + b",".join(map(to_json, self.kept)) + b"]"
        again.machine.load(decode_fleet_records(body))
        again.kept = list(self.kept)
        again.tell(Recovered())
        return again

    def _take(self, out: list[FleetOutput]) -> None:
        self.kept += [one.record for one in out if isinstance(one, Keep)]
        self.out += [one for one in out if isinstance(one, EndActions | Order | Forget)]

    def orders(self) -> list[FleetOutput]:
        """Return what was ordered since the last look."""
        found, self.out = self.out, []
        return found


def test_a_command_is_answered_for_each_server_and_says_why_not() -> None:
    site = Site()
    done = site.ask(f.FleetSlots(select=Select(classes=("A",)), slots=99))
    assert done.outcome is Outcome.REFUSED
    assert "has 4 slots only" in done.message
    site.change("A:2", slots=100)
    done = site.ask(f.FleetSlots(select=Select(classes=("A",)), slots=99))
    assert done.outcome is Outcome.FAILED, "one of them was set"
    assert site.standing("A:2").slots == 99
    texts = site.texts(f.FleetSlots(select=ALL, slots=-1))
    assert texts["B:1"] == "uses 3 of its 4 slots"
    assert site.texts(f.FleetSlots(select=ALL))["B:1"] == "uses all of its 4 slots"
    assert site.is_free("B:1")


@pytest.mark.parametrize(
    ("select", "why"),
    [
        (Select(), "which servers"),
        (Select(classes=("C",)), "no server is meant by class C; known: A:1, A:2, B:1"),
        (Select(servers=("A:1",), hosts=("host-b",)), "no server is meant"),
    ],
)
def test_nobody_is_meant_by_accident(select: Select, why: str) -> None:
    done = Site().ask(f.FleetDrain(select=select))
    assert done.outcome is Outcome.REFUSED
    assert why in done.message


def test_a_limit_touches_nothing_that_runs_and_says_what_it_waits_for() -> None:
    site = Site()
    site.change("A:1", running=3)
    text = site.texts(f.FleetSlots(select=Select(servers=("A:1",)), slots=1))["A:1"]
    assert text == "uses 1 of its 4 slots; 3 actions run, nothing starts before 3 of them end"
    assert site.orders() == []
    (flag,) = site.standing("A:1").flags
    assert (flag.kind, flag.by, flag.at) == (FlagKind.LIMITED, "eve", NOON)


def test_at_its_end_what_runs_is_ended_and_the_server_is_there_the_next_day() -> None:
    site = Site()
    site.change("A:1", running=1)
    site.ask(f.FleetHours(select=Select(classes=("A",)), start="08:00", stop="18:00", end="19:00"))
    site.wait(6.5 * 3600)
    assert not site.is_free("A:1")
    assert site.orders() == [], "from stop on it runs on"
    site.wait(3600)
    assert set(site.orders()) == {EndActions("A:1", "its hours have ended (at 19:00, UTC)")}
    site.change("A:1", running=0)
    site.wait(13 * 3600)
    assert site.is_free("A:1")
    assert site.orders() == []
    texts = site.texts(f.FleetHours(select=Select(servers=("A:1",)), stop="now"))
    assert "takes nothing more from 08:30" in texts["A:1"]
    assert not site.is_free("A:1")
    site.ask(f.FleetHours(select=Select(servers=("A:*",)), clear=True))
    assert site.is_free("A:1")


def test_hours_survive_a_restart_that_misses_their_end() -> None:
    site = Site()
    site.ask(f.FleetHours(select=Select(servers=("A:1",)), start="08:00", end="13:00"))
    site.change("A:1", running=1)
    site.wall += 2 * 3600
    again = site.after_restart()
    assert again.orders() == [EndActions("A:1", "its hours have ended (at 13:00, UTC)")]


def test_a_drain_ends_what_runs_at_its_deadline_and_then_begins_anew_once() -> None:
    site = Site()
    site.change("A:1", running=2)
    only = Select(servers=("A:1",))
    site.ask(f.FleetDrain(select=only, within_s=60, then="restart", reason="update"))
    assert site.orders() == []
    site.wait(61)
    (order,) = set(site.orders())
    assert isinstance(order, EndActions)
    assert "deadline" in order.why
    site.change("A:1", running=0)
    (order,) = site.orders()
    assert order == Order("A:1", False, "drained, then restart by eve: update")
    site.change("A:1", is_leaving=True)
    assert site.orders() == []
    site = site.after_restart()
    site.states["A:1"] = site.states["A:1"]._replace(incarnation="new", is_leaving=False)
    site.tell(Registered("A:1", "new"))
    assert site.is_free("A:1")
    assert site.orders() == [], "it is not begun anew a second time"


def test_the_dispatcher_is_told_anew_how_a_new_life_stands() -> None:
    """It may stand as the one before; the dispatcher does not know."""
    site = Site()
    site.ask(f.FleetSlots(select=Select(servers=("A:1",)), slots=1))
    site.states["A:1"] = site.states["A:1"]._replace(incarnation="new")
    out = site.machine.handle(site.instant, Registered("A:1", "new"))
    assert Stands("A:1") in out
    assert site.standing("A:1").slots == 1


@pytest.mark.parametrize("then", ["resume", "stay"])
def test_a_drained_server_stays_or_takes_work_again(then: str) -> None:
    site = Site()
    site.change("B:1", running=1)
    only = Select(servers=("B:1",))
    site.ask(f.FleetDrain(select=only, then=then))  # type: ignore[arg-type]
    assert not site.is_free("B:1")
    site.change("B:1", running=0)
    assert site.is_free("B:1") == (then == "resume")
    done = site.ask(f.FleetResume(select=only))
    assert done.outcome is (Outcome.REFUSED if then == "resume" else Outcome.OK)
    assert site.is_free("B:1")


def test_a_cancelled_drain_does_not_quit() -> None:
    site = Site()
    site.change("B:1", running=1)
    only = Select(servers=("B:1",))
    site.ask(f.FleetDrain(select=only, then="quit"))
    site.ask(f.FleetResume(select=only))
    site.change("B:1", running=0)
    assert site.orders() == []


def test_so_many_actions_are_served_also_over_a_restart() -> None:
    site = Site()
    only = Select(servers=("A:1",))
    site.ask(f.FleetQuitAfter(select=only, after=QuitAfter(n=2)))
    assert site.standing("A:1").left == 2
    site.change("A:1", running=1)
    site.tell(ActionEnded("A:1"))
    site = site.after_restart()
    assert site.standing("A:1").left == 1
    site.tell(ActionEnded("A:1"))
    assert site.orders() == [], "it is not empty yet"
    site.change("A:1", running=0)
    (order,) = site.orders()
    assert isinstance(order, Order)
    assert order.quit
    site.states["A:1"] = site.states["A:1"]._replace(incarnation="new")
    site.tell(Registered("A:1", "new"))
    assert site.is_free("A:1")
    assert site.orders() == []


def test_nothing_more_and_for_ever() -> None:
    site = Site()
    only = Select(servers=("A:1",))
    site.ask(f.FleetQuitAfter(select=only, after=QuitAfter(n=3, unit="runs")))
    site.tell(RunOver(("A:1", "B:1")))
    assert site.machine.core.fold.of("A:1").settings.quit_after == QuitAfter(n=2, unit="runs")
    assert site.texts(f.FleetQuitAfter(select=only))["A:1"] == "serves for ever"
    site.change("A:1", running=1)
    site.ask(f.FleetQuitAfter(select=only, after=QuitAfter(n=0)))
    assert site.orders() == []
    site.change("A:1", running=0)
    assert len(site.orders()) == 1


def test_so_many_shots_are_served_and_no_action_of_another_one() -> None:
    site = Site()
    site.ask(f.FleetQuitAfter(select=Select(servers=("A:1",)), after=QuitAfter(n=1, unit="shots")))
    site.tell(ActionGiven("A:1", "T/1"))
    site.tell(ActionGiven("A:1", "T/1"))
    standing = site.standing("A:1")
    assert (standing.shots, standing.more_shots, standing.barred) == (frozenset({"T/1"}), 0, "")
    site.tell(RunBegun("T/1"))
    assert site.orders() == [], "the shot may go on"
    site.tell(RunBegun("T/2"))
    assert len(site.orders()) == 1


def test_a_server_that_is_gone_keeps_its_last_words_until_it_is_dismissed() -> None:
    site = Site()
    last = ServerView(
        server="B:1", server_class="B", server_id="1", liveness="lost", why="silent", host="h"
    )
    site.ask(f.FleetSlots(select=Select(servers=("B:1",)), slots=1))
    del site.states["B:1"]
    site.tell(Lost(last))
    site = site.after_restart()
    (absent,) = Showing(site.machine).absent(site.states).values()
    assert (absent.server, absent.liveness, absent.why) == ("B:1", "absent", "silent")
    assert absent.settings is not None
    texts = site.texts(f.FleetSlots(select=ALL, slots=2))
    assert texts["B:1"] == "it is not there; this counts when it is"
    done = site.ask(f.FleetDismiss(select=ALL))
    assert done.outcome is Outcome.FAILED, "those that are there stay"
    assert site.orders() == [Forget(("B:1",))]
    assert not Showing(site.machine).absent(site.states)
    assert site.after_restart().machine.core.fold.gone == {}


def test_a_window_drains_meanwhile_and_names_the_plans_that_it_meets() -> None:
    site = Site()
    site.ahead = (
        PlanAhead("ohmic 1", frozenset({"B"}), NOON, NOON + 600),
        PlanAhead("ohmic 2", frozenset({"A", "B"}), NOON + 600, None),
    )
    site.change("A:1", running=1)
    done = site.ask(
        f.FleetWindow(
            select=Select(hosts=("host-a",)), begins_at=NOON + 900, duration_s=600, reason="pump"
        )
    )
    assert done.outcome is Outcome.OK
    (notice,) = done.notices
    assert "takes servers of class A, which ohmic 2 needs" in notice
    (view,) = site.machine.planning.views()
    assert (view.is_open, view.servers) == (False, ("A:1", "A:2"))
    (alert,) = Showing(site.machine).view(site.wall, [*site.views()]).alerts
    assert alert.about == view.window.id
    site.wait(901)
    assert not site.is_free("A:1")
    assert site.is_free("B:1")
    assert site.orders() == []
    (flag,) = site.standing("A:1").flags
    assert (flag.kind, flag.until) == (FlagKind.DRAINING, NOON + 1500)
    site.wait(600)
    assert site.is_free("A:1")
    assert site.machine.core.fold.windows == {}, "it does not come again"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"begins_at": NOON - 900}, "over already"),
        ({"zone": "Nowhere/There"}, "Nowhere/There is not known"),
        ({"select": Select()}, "for which servers"),
        ({"repeat": Repeat.DAILY, "duration_s": 86_400.0}, "shorter than a day"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(fields: dict[str, object], why: str) -> None:
    made: dict[str, object] = {"select": ALL, "begins_at": NOON + 60, "duration_s": 60.0}
    site = Site()
    done = site.ask(f.FleetWindow(**(made | fields)))  # type: ignore[arg-type]
    assert done.outcome is Outcome.REFUSED
    assert why in done.message
    assert site.kept == []


def test_what_is_not_as_expected_is_named() -> None:
    site = Site()
    site.ask(f.FleetExpect(servers=None))
    assert site.ask(f.FleetExpected()).message == "everything is as expected"
    expected = (
        ExpectedServer(server="A:1", host="host-a", slots=8),
        ExpectedServer(server="A:2"),
        ExpectedServer(server="C:1", host="host-c"),
    )
    site.ask(f.FleetExpect(servers=expected))
    site = site.after_restart()
    result = site.ask(f.FleetExpected()).result
    assert result is not None
    found = [(one.server, one.what, one.expected, one.found) for one in result.differences]  # type: ignore[union-attr]
    assert found == [
        ("A:1", "slots", "8", "4"),
        ("C:1", "missing", "host-c", ""),
        ("B:1", "unexpected", "", "host-b"),
    ]
    showing = Showing(site.machine)
    assert showing.absent(site.states)["C:1"].why == "it is expected, and was never there"
    assert showing.view(site.wall, [*site.views()]).expected_missing == ("C:1",)
    assert showing.differing([*site.views()])["A:1"][0].reason == "slots is 4, expected 8"
    assert site.ask(f.FleetExpect(servers=expected[:1] * 2)).outcome is Outcome.REFUSED
