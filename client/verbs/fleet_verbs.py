"""One function per command about the fleet.

Which servers are meant is said by patterns (`*`, `?`): `servers` of CLASS:ID, where a CLASS alone
means all of it; `classes`, `hosts`, `labels`. Each answer has a line for every server that is
meant; where some are left as they were, the others are set all the same.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict, Unpack

from shotline.client.calls import Call, answer, make, reading, result
from shotline.client.report import Answer
from shotline.common import views as v
from shotline.common.base import Json
from shotline.common.fleet import commands as f
from shotline.common.fleet.views import ExpectedServer, FleetAnswers, FleetExpectedResult


class Meant(TypedDict, total=False):
    """Which servers are meant, and why something is done with them (`reason`, for people)."""

    servers: str | Sequence[str]
    classes: str | Sequence[str]
    hosts: str | Sequence[str]
    labels: str | Sequence[str]
    reason: str


Mode = Literal["finish", "now"]


def fleet(
    servers: str | Sequence[str] = (),
    *,
    classes: str | Sequence[str] = (),
    hosts: str | Sequence[str] = (),
    labels: str | Sequence[str] = (),
) -> Call[v.FleetResult]:
    """Return the servers that are meant, by default all, with totals, windows and alerts."""
    select, _ = _meant({"servers": servers, "classes": classes, "hosts": hosts, "labels": labels})
    return result(make(f.FleetList, select=select), v.FleetResult)


def fleet_slots(slots: int | None, **meant: Unpack[Meant]) -> Call[FleetAnswers]:
    """Let servers use so many of their slots; negative: all but so many; None: all."""
    return _act(f.FleetSlots, meant, slots=slots)


def fleet_hours(
    start: str | None = None,
    stop: str | None = None,
    end: str | None = None,
    *,
    zone: str | None = None,
    clear: bool = False,
    **meant: Unpack[Meant],
) -> Call[FleetAnswers]:
    """Set when servers work, every day, as HH:MM, `now`, or `off`; what is left out stays.

    From `start` on they take work, from `stop` on nothing more; at `end` what they run is ended.
    """
    given = {"start": start, "stop": stop, "end": end, "zone": zone, "clear": clear}
    return _act(f.FleetHours, meant, **given)


def fleet_drain(
    mode: Mode = "finish",
    *,
    deadline: float | None = None,
    within_s: float | None = None,
    then: Literal["resume", "restart", "quit", "stay"] = "stay",
    **meant: Unpack[Meant],
) -> Call[FleetAnswers]:
    """Let servers take nothing more; `now`: what they run is ended.

    Else it goes on until the deadline (seconds since 1970, or `within_s` from now). `then` happens
    once they are empty.
    """
    given = {"mode": mode, "deadline": deadline, "within_s": within_s, "then": then}
    return _act(f.FleetDrain, meant, **given)


def fleet_resume(**meant: Unpack[Meant]) -> Call[FleetAnswers]:
    """Let servers that were drained take work again."""
    return _act(f.FleetResume, meant)


def fleet_quit_after(
    n: int | None,
    unit: Literal["actions", "runs", "shots"] = "actions",
    **meant: Unpack[Meant],
) -> Call[FleetAnswers]:
    """Let servers serve so much more and then end; 0: nothing more; None or -1: for ever."""
    after = None if n is None or n == -1 else {"n": n, "unit": unit}
    return _act(f.FleetQuitAfter, meant, after=after)


def fleet_heartbeat(
    every_s: float | None = None, *, now: bool = False, **meant: Unpack[Meant]
) -> Call[FleetAnswers]:
    """Set how often servers tell of themselves (None: as configured), or ask them now."""
    return _act(f.FleetHeartbeat, meant, every_s=every_s, now=now)


def fleet_add(servers: str | Sequence[str], *, reason: str = "") -> Call[FleetAnswers]:
    """Start servers CLASS:ID by the site's own program; each answer has what it said."""
    names = (servers,) if isinstance(servers, str) else tuple(servers)
    return reading(make(f.FleetAdd, servers=names, reason=reason), FleetAnswers)


def fleet_dismiss(**meant: Unpack[Meant]) -> Call[FleetAnswers]:
    """Forget servers that are gone."""
    return _act(f.FleetDismiss, meant)


def fleet_window(
    begins_at: float,
    duration_s: float,
    *,
    id: str | None = None,  # noqa: A002
    repeat: str = "once",
    zone: str | None = None,
    until: float | None = None,
    mode: Mode = "finish",
    **meant: Unpack[Meant],
) -> Call[FleetAnswers]:
    """Plan a maintenance window: once, daily, weekdays or weekly, from then on.

    The notices of a supervisor's `reply` name plans of the pulse queue that it meets.
    """
    return _act(
        f.FleetWindow,
        meant,
        id=id,
        begins_at=begins_at,
        duration_s=duration_s,
        repeat=repeat,
        zone=zone,
        until=until,
        mode=mode,
    )


def fleet_window_remove(id: str, *, reason: str = "") -> Call[Answer]:  # noqa: A002
    """Remove a maintenance window."""
    return answer(make(f.FleetWindowRemove, id=id, reason=reason))


Expected = Sequence[ExpectedServer | Mapping[str, Json]]


def fleet_expect(servers: Expected | None = None, *, reason: str = "") -> Call[FleetExpectedResult]:
    """Keep which servers are expected; None: those that are there now, as they are."""
    given = None if servers is None else tuple(servers)
    return result(make(f.FleetExpect, servers=given, reason=reason), FleetExpectedResult)


def fleet_expected(
    servers: Expected | None = None, *, now: bool = False
) -> Call[FleetExpectedResult]:
    """Return what is expected, and what is not as it says.

    `servers`: compare with these instead; `now`: return those that are there, as they are.
    """
    given = None if servers is None else tuple(servers)
    return result(make(f.FleetExpected, servers=given, now=now), FleetExpectedResult)


def _act(
    kind: type[f.FleetAct], meant: Mapping[str, object], **given: object
) -> Call[FleetAnswers]:
    select, reason = _meant(meant)
    return reading(make(kind, select=select, reason=reason, **given), FleetAnswers)


def _meant(meant: Mapping[str, object]) -> tuple[dict[str, tuple[str, ...]], str]:
    """Return the patterns of what is meant, and the reason."""
    select = {}
    for name in ("classes", "hosts", "labels", "servers"):
        found = meant.get(name, ())
        words = (found,) if isinstance(found, str) else tuple(found)  # type: ignore[arg-type]
        select[name] = tuple(map(_server, words)) if name == "servers" else words
    return select, str(meant.get("reason", ""))


def _server(word: str) -> str:
    return word if ":" in word or word == "*" else f"{word}:*"
