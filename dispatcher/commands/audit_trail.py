"""The audit: a line for each command that changes something, refused ones too, and each login.

A line goes into the commit that has the command's effect, and into the dispatcher's log. What takes
longer has two: that it has begun, and how it ended. Pure.
"""

from math import inf
from typing import Final

from shotline.common.audit_words import TEXT_MAX, in_words, said, without_credentials
from shotline.common.base import Value, to_json
from shotline.common.channels import AUDIT
from shotline.common.codec import decode_one
from shotline.common.commands import AnyCommand, Audit, NoteAccess, decode_command
from shotline.common.errors import MalformedMessage
from shotline.common.messages import Outcome, Request, TurnedAway, Via, Vouched
from shotline.common.ranges import DURATION_MAX
from shotline.common.records import Audited, ShotKey, place_of
from shotline.common.views import AuditEvent
from shotline.dispatcher.core import Core
from shotline.dispatcher.journal import TrimAudit

TELL_S: Final = 0.2
"""Observers hear of lines gathered for so long."""

TRIM_S: Final = 3600.0
TRIM_LINES: Final = 1000
_DAY_MS: Final = 86_400_000


class Given(Value):
    """A command as it was given: by whom, from where, when (monotonic)."""

    request: Request
    sender: Vouched
    at: float


class AuditTrail:
    """Writes the audit's lines, and keeps it within its limits."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._last = (0, 0)
        self._tell_at = inf
        self._trim_at = 0.0
        self._since_trim = 0

    def load(self, last: str) -> None:
        """Take the id of the last line that the journal has: ids only rise, whatever clocks do."""
        self._last = place_of(last)

    # What is told

    def begun(
        self, given: Given, command: AnyCommand, message: str, about: ShotKey | None = None
    ) -> None:
        """Tell that a command has begun, whose effect does not wait for its answer.

        `about`: the shot that it means, also where it does not name one.
        """
        self._put(given, command, Outcome.ACCEPTED, message, about=about)

    def answered(
        self,
        given: Given,
        command: AnyCommand | None,
        outcome: Outcome,
        message: str,
        about: ShotKey | None = None,
    ) -> None:
        """Tell what came of a command. What nobody could read (None) changes nothing (I7)."""
        if command is None:
            return
        if isinstance(command, NoteAccess):
            self._note(given, command)
        elif (command.changes and not command.ROUTINE) or (
            isinstance(command, Audit) and outcome is not Outcome.OK
        ):
            self._put(given, command, outcome, message, about=about)

    def turned_away(self, told: TurnedAway) -> None:
        """Tell of a command that the broker has refused."""
        request, command = _read(told)
        given = Given(request, Vouched(key=told.key, address=told.address), self._core.now)
        if command is None or command.changes or isinstance(command, Audit):
            self._put(given, command, told.outcome, told.text, told.untold)

    def _note(self, given: Given, note: NoteAccess) -> None:
        self._write(
            _line(
                given,
                self._next_id(),
                time=note.at,
                verb=note.what,
                tree=note.tree,
                shot=note.shot,
                arguments=note.arguments,
                outcome=note.outcome,
                message=note.message,
                duration_s=note.duration_s,
                untold=note.untold,
            )
        )

    def _put(
        self,
        given: Given,
        command: AnyCommand | None,
        outcome: Outcome,
        message: str,
        untold: int = 0,
        about: ShotKey | None = None,
    ) -> None:
        took_s = min(max(self._core.now - given.at, 0.0), DURATION_MAX)
        shot = getattr(command, "shot", None)
        self._write(
            _line(
                given,
                self._next_id(),
                time=self._core.wall,
                verb=given.request.verb,
                tree=getattr(command, "tree", None),
                shot=shot,
                arguments="" if command is None else said(command),
                outcome=outcome,
                message=without_credentials(message)[:TEXT_MAX],
                duration_s=None if outcome is Outcome.ACCEPTED else round(took_s, 6),
                request=given.request.id,
                untold=untold,
            ),
            about,
        )

    def _next_id(self) -> str:
        now_ms = max(int(self._core.wall * 1000), 0)
        last_ms, number = self._last
        self._last = (now_ms, 0) if now_ms > last_ms else (last_ms, number + 1)
        return "{}-{}".format(*self._last)

    def _write(self, line: Audited, about: ShotKey | None = None) -> None:
        core = self._core
        core.put_system(line)
        if about is None and line.tree is not None and line.shot is not None:
            about = ShotKey(line.tree, line.shot)
        core.note(f"audit: {in_words(line)}", about)
        self._since_trim += 1
        if self._tell_at == inf:
            self._tell_at = core.now + TELL_S

    # What falls due

    @property
    def due(self) -> float:
        """When something is due (monotonic)."""
        return min(self._tell_at, self._trim_at)

    def tick(self) -> None:
        """Tell observers, and keep the audit within its limits."""
        core = self._core
        if core.now >= self._tell_at:
            self._tell_at = inf
            event = AuditEvent(last="{}-{}".format(*self._last))
            core.after(core.feed.publish(AUDIT, core.wall, to_json(event)))
        if core.now >= self._trim_at or self._since_trim >= TRIM_LINES:
            self._trim_at = core.now + TRIM_S
            self._since_trim = 0
            limits = core.config.journal
            oldest_ms = max(int(core.wall * 1000) - limits.audit_days * _DAY_MS, 0)
            core.after(TrimAudit(limits.audit_lines_max, f"{oldest_ms}-0"))


def _line(given: Given, id_: str, **fields: object) -> Audited:
    request, sender = given.request, given.sender
    behalf = request.behalf
    return Audited(
        id=id_,
        who=request.user if behalf is None else behalf.name,
        via=Via.PROGRAM if behalf is None else behalf.via,
        program=request.user,
        key=sender.key,
        address=sender.address,
        browser="" if behalf is None else behalf.address,
        **fields,  # type: ignore[arg-type]  # those of a line
    )


def _read(told: TurnedAway) -> tuple[Request, AnyCommand | None]:
    """Return what was turned away, as far as it can be read."""
    try:
        request = decode_one(told.request)
        if isinstance(request, Request):
            return request, decode_command(request.command)
    except (MalformedMessage, ValueError, RecursionError):
        pass
    return Request(id="", verb=told.verb, deadline_s=0.0, command=b""), None
