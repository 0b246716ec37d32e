"""The alarms as a table for the terminal, and as lines while one looks."""

import json

from rich.console import Console

from shotline.client.cli.base import options_of, say
from shotline.client.cli.views.render import put, table
from shotline.client.observer import FeedStopped, News, Update, Whole
from shotline.client.plain import plain
from shotline.client.text import date
from shotline.common.alarms.alarm import Alarm, AlarmKind, ToldHow, urgency
from shotline.common.alarms.views import AlarmsAnswered, AlarmsEvent, AlarmsResult
from shotline.common.base import as_plain
from shotline.common.channels import ALARMS
from shotline.common.process.streams import reader_needed
from shotline.common.views import AnyResult

WHAT = {
    AlarmKind.ACTION: "action failed",
    AlarmKind.ACTIONS: "actions failed",
    AlarmKind.HELD: "run HELD",
    AlarmKind.SERVER: "server lost",
    AlarmKind.DAEMON: "daemon away",
    AlarmKind.COMMAND: "not told",
    AlarmKind.KEEPING: "shots not kept",
    AlarmKind.OVERFLOW: "too many",
}


def show_alarms(out: Console, result: AnyResult) -> None:
    """Show `alarms list`."""
    assert isinstance(result, AlarmsResult)
    if not result.alarms:
        say_none()
        return
    rows = [
        (
            str(one.number),
            one.severity.value,
            state_of(one),
            WHAT[one.kind],
            plain(one.about),
            date(one.first_at),
            date(one.last_at),
            str(one.times),
            plain(text_of(one)),
        )
        for one in result.alarms
    ]
    headers = ("NUMBER", "SEVERITY", "STATE", "WHAT", "ABOUT", "FIRST", "LAST", "TIMES", "TEXT")
    put(out, table(*headers, rows=rows))
    for one in result.alarms:
        _show_beside(one)
    say(f"{result.new} to be acknowledged; the last number is {result.last}")


def say_none() -> None:
    """Say that there is nothing."""
    say("there is no alarm")


def _show_beside(alarm: Alarm) -> None:
    """Show what belongs to an alarm and is too long for its row."""
    said = [
        f"{title}: {plain(text)}"
        for title, text in (
            ("help", alarm.help),
            ("contact", alarm.contact),
            ("cleared", "" if alarm.active else alarm.cleared),
            ("acknowledged", _acknowledged(alarm)),
            ("shelved", _shelved(alarm)),
            ("alarm command", told_of(alarm)),
        )
        if text
    ]
    for line in said:
        say(f"  {alarm.number}  {line}")


def state_of(alarm: Alarm) -> str:
    """Return in words how an alarm stands."""
    if alarm.shelved_until is not None:
        return "shelved"
    state = "active" if alarm.active else "cleared"
    return state if alarm.acked_at is None else f"{state}, acknowledged"


def text_of(alarm: Alarm) -> str:
    """Return what an alarm says."""
    if alarm.kind is not AlarmKind.ACTIONS:
        return alarm.text
    return f"{alarm.failing} of {alarm.members} further actions are failed, the last: {alarm.text}"


def _acknowledged(alarm: Alarm) -> str:
    if alarm.acked_at is None:
        return ""
    note = f": {alarm.note}" if alarm.note else ""
    return f"{date(alarm.acked_at)} by {alarm.acked_by or 'somebody'}{note}"


def _shelved(alarm: Alarm) -> str:
    if alarm.shelved_until is None:
        return ""
    until = date(alarm.shelved_until)
    return f"until {until} by {alarm.shelved_by or 'somebody'}: {alarm.shelved_why}"


def told_of(alarm: Alarm) -> str:
    """Return what became of the site's own command; "" where nothing is to be said."""
    match alarm.told:
        case ToldHow.DONE:
            return "told"
        case ToldHow.PERHAPS:
            return f"perhaps not told: {alarm.told_text}"
        case ToldHow.FAILED:
            return f"not told: {alarm.told_text}"
        case _:
            return ""


def show_answered(_: Console, result: AnyResult) -> None:
    """Show nothing but what the reply says: it counts them."""
    assert isinstance(result, AlarmsAnswered)


def watch() -> None:
    """Show what there is, then a line for each change, until Ctrl-C."""
    with reader_needed(), options_of().supervisor() as shotline:
        stream = shotline.events(ALARMS)
        try:
            for update in stream:
                _show_update(update)
        except KeyboardInterrupt:
            return
        finally:
            stream.close()


def _show_update(update: Update) -> None:
    match update:
        case Whole(snapshot=snapshot) if snapshot.alarms is not None:
            shown = [one for one in snapshot.alarms.alarms if one.active or one.is_new]
            for one in sorted(shown, key=urgency, reverse=True):
                _line(one)
        case News(payload=AlarmsEvent(alarms=alarms)):
            for one in alarms:
                _line(one)
        case FeedStopped(silent_s=silent_s):
            say(f"nothing has been heard for {silent_s:.0f} s", err=True)
        case _:
            pass


def _line(alarm: Alarm) -> None:
    if options_of().json:
        say(json.dumps(as_plain(alarm)))
        return
    parts = (
        date(max(alarm.last_at, alarm.cleared_at or 0.0, alarm.acked_at or 0.0)),
        str(alarm.number),
        alarm.severity.value,
        state_of(alarm),
        f"{plain(alarm.about)}: {plain(text_of(alarm))}",
    )
    times = f"  ({alarm.times} times)" if alarm.times > 1 else ""
    by = f"  by {plain(alarm.acked_by)}" if alarm.acked_by else ""
    say("  ".join(parts) + times + by)
