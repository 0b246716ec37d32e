"""What `shotline audit` writes: lines that are there, and then those that come."""

import json
from collections.abc import Mapping
from typing import Any, Final

from shotline.client.cli.base import as_json, options_of, say
from shotline.client.plain import plain
from shotline.client.supervisor import Supervisor
from shotline.client.text import date
from shotline.common.audit_words import in_words
from shotline.common.base import as_plain
from shotline.common.channels import AUDIT
from shotline.common.messages import Outcome
from shotline.common.process.streams import reader_needed
from shotline.common.records import Audited
from shotline.common.views import AuditResult, encode_result

PAGE: Final = 500
LINES_MAX: Final = 1_000_000
LOOK_S: Final = 5.0  # nobody promises that each line is told of


def show(wanted: Mapping[str, Any], limit: int, *, follow: bool) -> None:
    """Show the newest lines that are wanted; with `follow` those that come, until Ctrl-C."""
    with reader_needed(), options_of().supervisor() as shotline:
        if follow:
            try:
                _follow(shotline, wanted, limit)
            except KeyboardInterrupt:
                return
        else:
            _show_once(read(shotline, wanted, limit))


def read(
    shotline: Supervisor, wanted: Mapping[str, Any], limit: int, after: str | None = None
) -> list[Audited]:
    """Return the newest lines that are wanted, the newest first."""
    lines: list[Audited] = []
    before = None
    while len(lines) < limit:
        asked = min(PAGE, limit - len(lines))
        found = shotline.audit(**wanted, before=before, after=after, limit=asked)
        lines += found.lines
        before = found.next
        if before is None:
            break
    return lines


def _follow(shotline: Supervisor, wanted: Mapping[str, Any], limit: int) -> None:
    with shotline.events(taps=(AUDIT,)) as stream:
        seen, shown = _newest(shotline), (0, 0)
        lines = read(shotline, wanted, limit)
        while True:
            for line in reversed(lines):
                if line.place > shown:  # some may have come after the newest was asked for
                    shown = line.place
                    _say(line)
            stream.get(LOOK_S)
            newest = _newest(shotline)
            lines = read(shotline, wanted, LINES_MAX, after=seen)
            seen = newest or seen


def _newest(shotline: Supervisor) -> str | None:
    lines = shotline.audit(limit=1).lines
    return lines[0].id if lines else None


def _show_once(lines: list[Audited]) -> None:
    if options_of().json:
        result = encode_result(AuditResult(lines=tuple(lines)))
        say(json.dumps(as_json(Outcome.OK, "", result=result)))
        return
    for line in reversed(lines):
        _say(line)


def _say(line: Audited) -> None:
    if options_of().json:
        say(json.dumps(as_plain(line)))
    else:
        say(plain(f"{date(line.time)} {in_words(line)}"))
