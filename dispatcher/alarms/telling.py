"""How the site's own alarm command is called, and what its end means. Pure.

Its arguments are its own from the configuration, then severity, number of alarms and a line of
text. It can read each alarm as a line of JSON. The same is in its environment.
"""

from collections.abc import Sequence
from typing import Final

from shotline.common.alarms.alarm import Alarm
from shotline.common.base import to_json
from shotline.common.settings.sections.alarms import AlarmsSection
from shotline.dispatcher.effects import ProgramDone, RunProgram

LINE_MAX: Final = 300
SAID_MAX: Final = 500


def program_of(section: AlarmsSection, job: int, alarms: Sequence[Alarm]) -> RunProgram:
    """Return the call that tells of these, the most severe of which is the first."""
    assert section.alarm_command is not None
    script, *words = section.alarm_command
    first, number = alarms[0], str(len(alarms))
    line = line_of(alarms)
    return RunProgram(
        job,
        script,
        (*words, first.severity.value, number, line),
        section.command_timeout_s,
        b"".join(to_json(alarm) + b"\n" for alarm in alarms),
        (
            ("SHOTLINE_ALARM_SEVERITY", first.severity.value),
            ("SHOTLINE_ALARM_COUNT", number),
            ("SHOTLINE_ALARM_TEXT", line),
            ("SHOTLINE_ALARM_CONTACT", _plain(first.contact)),
            ("SHOTLINE_ALARM_HELP", _plain(first.help)),
        ),
    )


def line_of(alarms: Sequence[Alarm]) -> str:
    """Return in one line what these tell of."""
    first = alarms[0]
    more = f" (and {len(alarms) - 1} more)" if len(alarms) > 1 else ""
    text = _plain(f"{first.about}: {first.text}")
    room = LINE_MAX - len(more)
    return (text if len(text) <= room else text[: room - 1] + "…") + more


def _plain(text: str) -> str:
    """Return a text as one line without what no argument or terminal should be given."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def trouble_of(done: ProgramDone, timeout_s: float) -> str:
    """Return why the command has not done what it should; "" when it has."""
    said = _plain(done.output)[-SAID_MAX:]
    after = f": {said}" if said else ""
    if done.error:
        return done.error
    if done.code is None:
        return f"it took longer than {timeout_s:g} s, and was ended{after}"
    return f"it ended with exit code {done.code}{after}" if done.code else ""
