"""How states, times and texts are written for people: words, symbols, colours. Pure.

Text from trees and tasks is shown as text (`plain`). Nobody depends on colour alone: a
symbol and a word go with each.
"""

from contextvars import ContextVar
from datetime import UTC, datetime, tzinfo
from typing import Final

from shotline.client.plain import plain
from shotline.common.actions import ActionState, Cause, Colour, colour_of
from shotline.common.records import Counts, Transition
from shotline.common.views import ActionView, RunView, ShotView

_ZONE: ContextVar[tzinfo | None] = ContextVar("zone", default=None)  # in which times are shown

SYMBOLS: Final[dict[Colour, str]] = {
    Colour.BLUE: "·",
    Colour.ORANGE: "▶",
    Colour.GREEN: "✓",
    Colour.RED: "✗",
    Colour.GREY: "■",
    Colour.GREY_OUTLINED: "□",
}
ASCII_SYMBOLS: Final[dict[Colour, str]] = {
    Colour.BLUE: ".",
    Colour.ORANGE: ">",
    Colour.GREEN: "+",
    Colour.RED: "x",
    Colour.GREY: "#",
    Colour.GREY_OUTLINED: "o",
}
STYLES: Final[dict[Colour, str]] = {
    Colour.BLUE: "bright_blue",
    Colour.ORANGE: "dark_orange",
    Colour.GREEN: "green",
    Colour.RED: "bold red",
    Colour.GREY: "black on grey62",
    Colour.GREY_OUTLINED: "grey62",
}
_CAUSES: Final[dict[Cause, str]] = {
    Cause.OFF: "off",
    Cause.ASYNCHRONOUS: "asynchronous",
    Cause.UNREADABLE: "unreadable",
    Cause.BAD_NUMBER: "number <= 0",
    Cause.CONDITION_FALSE: "condition false",
    Cause.CANNOT_HAPPEN: "cannot happen",
    Cause.ABORTED_BEFORE_SENT: "aborted before it was sent",
    Cause.TIMEOUT: "timeout",
    Cause.WORKER_DIED: "worker died",
    Cause.OPERATOR: "by an operator",
    Cause.SERVER_LOST: "server lost",
    Cause.FORGOTTEN: "end not known",
}


def colour(last: Transition) -> Colour:
    """Return the colour of an action's state."""
    return colour_of(last.state, last.status, last.cause)


def state_words(last: Transition) -> str:
    """Return an action's state in words: what the colour means, and the cause that matters."""
    words = last.status.value if last.status is not None else last.state.value
    if last.cause is not None and last.cause in _CAUSES:
        words += f", {_CAUSES[last.cause]}"
    if last.aborting:
        words += ", aborting"
    if last.outcome_unknown:
        words += ", outcome unknown"
    return words


def details(action: ActionView, now: float | None = None) -> str:
    """Return why an action is as it is: its reason, its progress, or what it waits for.

    That its completion event was not raised stands before them, since nothing else shows it.
    """
    said = _details(action, now)
    return "; ".join(filter(None, (plain(action.event_trouble), said)))


def _details(action: ActionView, now: float | None) -> str:
    last = action.last
    if last.state is ActionState.DOING and action.progress is not None:
        return f"{action.progress:.0%} {plain(action.progress_text)}".rstrip()
    if last.reason:
        return plain(last.reason)
    if action.waits_for:
        return plain(action.waits_for)
    if last.state is ActionState.DOING and now is None and last.server:
        return f"on {plain(last.server)}"
    return plain(action.unreadable or "")


def cut(text: str, longest: int) -> str:
    """Return a text, or its beginning where it is longer."""
    return text if len(text) <= longest else f"{text[:longest]}…"


def taken(last: Transition, now: float) -> str:
    """Return how long an action took, or has taken so far."""
    if last.duration_s is not None:
        return duration(last.duration_s)
    if last.state is ActionState.DOING and last.started_at is not None:
        return duration(max(0.0, now - last.started_at))
    return ""


def duration(seconds: float) -> str:
    """Return a duration in seconds, minutes and hours as people say it."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02} h"


def show_in(zone: tzinfo | None) -> None:
    """Show times in this zone from now on, in this context; None: in local time."""
    _ZONE.set(zone)


def clock(at: float | None) -> str:
    """Return a time of day to the millisecond; Z stands behind it in UTC, nothing in local time."""
    if at is None:
        return ""
    shown = in_zone(at)
    return shown.strftime("%H:%M:%S.%f")[:-3] + ("Z" if shown.tzinfo is UTC else "")


def date(at: float | None) -> str:
    """Return date and time with the zone: 2026-11-29 08:30:00+01:00, or Z for UTC."""
    return "" if at is None else _dated(at, "seconds")


def moment(at: float) -> str:
    """Return date and time to the millisecond, with the zone."""
    return _dated(at, "milliseconds")


def in_zone(at: float) -> datetime:
    """Return a wall clock time in the zone in which times are shown."""
    return datetime.fromtimestamp(at, UTC).astimezone(_ZONE.get())


def _dated(at: float, precision: str) -> str:
    shown = in_zone(at)
    text = shown.isoformat(" ", precision)
    return text.replace("+00:00", "Z") if shown.tzinfo is UTC else text


def counts_words(counts: Counts) -> str:
    """Return counts in words, leaving out what there is none of."""
    parts = (
        (counts.success, "success"),
        (counts.failed, "failed"),
        (counts.server_off, "server off"),
        (counts.in_progress, "in progress"),
        (counts.pending, "pending"),
        (counts.not_dispatched, "not dispatched"),
    )
    return ", ".join(f"{number} {word}" for number, word in parts if number) or "no actions"


def run_words(run: RunView) -> str:
    """Return a run in one line."""
    what = run.phase or run.kind.value
    if run.first is not None and run.last is not None:
        what += f" {run.first}-{run.last}"
    how = run.outcome.value if run.outcome is not None else run.state.upper()
    line = f"run {run.run}  {plain(what)}  {how}  {counts_words(run.counts)}"
    if run.who:
        line += f"  by {plain(run.who)}"
    if run.duration_s is not None:
        line += f"  {duration(run.duration_s)}"
    return line + (f"  {plain(run.reason)}" if run.reason else "")


def shot_name(shot: ShotView | RunView) -> str:
    """Return a shot's name."""
    return f"{shot.tree}/{shot.shot}"
