"""What the settings of a server, and the windows open for it, come to at some time. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from shotline.common.fleet.records import KeptServer, SetBy
from shotline.common.fleet.settings import Hours, HoursState, QuitAfter, Window, time_of_day
from shotline.common.fleet.views import Flag, FlagKind


class OpenWindow(NamedTuple):
    """A maintenance window that is open now."""

    window: Window
    began_at: float
    ends_at: float


class Standing(NamedTuple):
    """How much a server may take, and why not more."""

    slots: int  # of its own, that may be used
    left: int | None = None  # actions that it may have, with those that it has; None: any
    shots: frozenset[str] | None = None  # of which it takes everything; None: of all
    more_shots: int = 0  # of others it takes so many, too
    barred: str = ""  # why it takes nothing; "": it does
    ends: str = ""  # why what it runs is ended; "": it goes on
    flags: tuple[Flag, ...] = ()
    next_at: float | None = None  # when that changes by itself (wall-clock seconds)


NO_SETTINGS = KeptServer(server="")


def standing_of(
    kept: KeptServer, windows: Sequence[OpenWindow], own_slots: int, wall: float
) -> Standing:
    """Return what holds for a server with so many slots of its own."""
    settings = kept.settings
    flags: list[Flag] = []
    barred: list[str] = []
    ends: list[str] = []
    due: list[float] = []
    for one in windows:
        _window(one, flags, barred, ends)
        due.append(one.ends_at)
    if settings.drain is not None:
        note = kept_note(kept, "drain")
        deadline = settings.drain.deadline
        flag = _flag(FlagKind.DRAINING, note.reason or _then(settings.drain.then), note, deadline)
        flags.append(flag)
        barred.append(in_words("drained", note))
        if settings.drain.mode == "now":
            ends.append(in_words("drained at once", note))
        elif deadline is not None and wall >= deadline:
            ends.append(in_words("the deadline of its drain has passed: drained", note))
        elif deadline is not None:
            due.append(deadline)
    if settings.hours is not None:
        _hours(settings.hours, kept, wall, flags, barred, ends)
        changes = settings.hours.next_change(wall)
        due += [changes] if changes is not None else []
    slots = settings.slots_of(own_slots)
    if settings.slots is not None and slots < own_slots:
        note = kept_note(kept, "slots")
        of_all = f"{slots} of {own_slots} slots"
        text = f"{of_all}: {note.reason}" if note.reason else of_all
        flags.append(_flag(FlagKind.LIMITED, text, note))
        if slots == 0:
            barred.append(in_words("limited to no slot", note))
    after = settings.quit_after
    if after is not None:
        _quit_after(after, kept, flags, barred)
    counts_shots = after is not None and after.unit == "shots"
    return Standing(
        slots=slots,
        left=after.n if after is not None and after.unit == "actions" else None,
        shots=frozenset(kept.shots) if counts_shots else None,
        more_shots=after.n if after is not None and counts_shots else 0,
        barred="; ".join(barred),
        ends=ends[0] if ends else "",
        flags=tuple(flags),
        next_at=min(due, default=None),
    )


def _window(one: OpenWindow, flags: list[Flag], barred: list[str], ends: list[str]) -> None:
    window = one.window
    name = f"maintenance window {window.id}"
    text = f"{name}: {window.reason}" if window.reason else name
    flags.append(
        Flag(
            kind=FlagKind.DRAINING,
            reason=text,
            by=window.by,
            at=one.began_at,
            until=one.ends_at,
        )
    )
    barred.append(text)
    if window.mode == "now":
        ends.append(text)


def _hours(
    hours: Hours,
    kept: KeptServer,
    wall: float,
    flags: list[Flag],
    barred: list[str],
    ends: list[str],
) -> None:
    state = hours.state(wall)
    if state is HoursState.OPEN:
        return
    note = kept_note(kept, "hours")
    opens_at = hours.opens_at(wall)
    until = f", until {time_of_day(opens_at, hours.zone)}" if opens_at is not None else ""
    text = f"outside its hours{until} ({hours.zone})"
    said = f"{text}: {note.reason}" if note.reason else text
    flags.append(_flag(FlagKind.OUT_OF_HOURS, said, note, opens_at))
    barred.append(text)
    if state is HoursState.ENDED:
        ends.append(f"its hours have ended (at {hours.end}, {hours.zone})")


def _quit_after(after: QuitAfter, kept: KeptServer, flags: list[Flag], barred: list[str]) -> None:
    note = kept_note(kept, "quit_after")
    if kept.ordered or (after.n == 0 and after.unit != "shots") or (not after.n and not kept.shots):
        text = "takes nothing more, and ends"
        barred.append(in_words(text, note))
    else:
        one = after.unit.removesuffix("s")
        text = f"ends after {after.n} more {one if after.n == 1 else after.unit}"
        if after.unit == "shots" and after.n == 0:
            text = f"ends after {', '.join(kept.shots)}"
    flags.append(_flag(FlagKind.LIMITED, f"{text}: {note.reason}" if note.reason else text, note))


def _flag(kind: FlagKind, reason: str, note: SetBy, until: float | None = None) -> Flag:
    return Flag(kind=kind, reason=reason, by=note.by, at=note.at, until=until)


def _then(then: str) -> str:
    return "" if then == "stay" else f"then {then}"


def kept_note(kept: KeptServer, setting: str) -> SetBy:
    """Return who has set something, as far as that is known."""
    return kept.notes.get(setting) or SetBy()


def in_words(what: str, note: SetBy) -> str:
    """Return what was set with who did it and why."""
    by = f" by {note.by}" if note.by else ""
    return f"{what}{by}: {note.reason}" if note.reason else f"{what}{by}"
