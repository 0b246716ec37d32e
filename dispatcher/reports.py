"""What servers report of attempts: starts, progress, output and results, each stored once (I2).

A server repeats a result until it is answered, and it is answered only behind the journal. Pure.
"""

from msgspec import structs

from shotline.common.actions import (
    IN_PROGRESS,
    SETTLED_STATE,
    ActionState,
    AttemptId,
    Cause,
    Status,
)
from shotline.common.base import to_json
from shotline.common.channels import output_channel, shot_channel
from shotline.common.messages import (
    Answered,
    EndedBy,
    Finished,
    Output,
    OutputStored,
    Progress,
    Started,
    Tail,
    Verdict,
)
from shotline.common.records import (
    LateResult,
    ShotKey,
    StoredOutput,
    Transition,
    UnknownResult,
)
from shotline.common.views import OutputEvent, OutputLine, ShotEvent
from shotline.dispatcher.aftermath import Aftermath
from shotline.dispatcher.core import Core
from shotline.dispatcher.execution import Execution
from shotline.dispatcher.fleet import Server
from shotline.dispatcher.proofs import prove
from shotline.dispatcher.shots import Shot

Piece = tuple[float, int, bytes]  # wall time, stream, lines

_CAUSES = {
    EndedBy.RESULT: Cause.RESULT,
    EndedBy.TIMEOUT: Cause.TIMEOUT,
    EndedBy.WORKER_DIED: Cause.WORKER_DIED,
    EndedBy.ABORT: Cause.OPERATOR,
    EndedBy.CONNECTION_LOST: Cause.SERVER_LOST,
    EndedBy.SERVER_ENDED: Cause.SERVER_LOST,
    EndedBy.FORGOTTEN: Cause.FORGOTTEN,
    EndedBy.NO_SERVER: Cause.NO_SERVER,
}


class Results:
    """Takes the reports of attempts."""

    def __init__(self, core: Core, execution: Execution, aftermath: Aftermath) -> None:
        self._core = core
        self._execution = execution
        self._aftermath = aftermath

    def _find(self, attempt: AttemptId) -> tuple[Shot | None, Transition | None]:
        shot = self._core.shots.get(ShotKey(attempt.tree, attempt.shot))
        live = shot.actions.get(attempt.path) if shot is not None else None
        if live is not None and live.attempt != attempt.number:
            live = None
        return shot, live

    def _current(self, server: Server, attempt: AttemptId) -> tuple[Shot, Transition] | None:
        """Return the action whose attempt this server has; None where it has not, or no more."""
        shot, live = self._find(attempt)
        if shot is None or live is None or live.server != server.name:
            return None
        return (shot, live) if live.state in IN_PROGRESS else None

    def started(self, server: Server, started: Started) -> None:
        """Take the start of an attempt; news of attempts that are no longer current are ignored."""
        current = self._current(server, started.attempt)
        if current is not None and current[1].state is ActionState.DISPATCHED:
            self._execution.started(*current, started.started_at)

    def progress(self, server: Server, progress: Progress) -> None:
        """Pass a running task's progress on to observers."""
        current = self._current(server, progress.attempt)
        if current is None:
            return
        shot, live = current
        said = (progress.fraction, progress.text)
        shot.progress[live.path] = said
        payload = to_json(ShotEvent(progress=((live.path, *said),)))
        self._core.after(self._core.feed.publish(shot_channel(shot.key), self._core.wall, payload))

    def output(self, server: Server, output: Output) -> None:
        """Store output lines that are not stored yet; say how far they are."""
        attempt = output.attempt
        key = ShotKey(attempt.tree, attempt.shot)
        shot, live = self._find(attempt)
        through = output.first + sum(1 + text.count(b"\n") for _, _, text in output.pieces)
        is_its_own = (
            key in self._core.stored if shot is None else shot.was_given(attempt, server.name)
        )
        if not is_its_own:
            # It may forget it; nothing is stored, and nobody else's lines count as stored.
            words = f"{server.name} sent output of {attempt}, which it has not"
            self._core.say("warning", words, attempt)
            self._core.send(server.identity, OutputStored(attempt=attempt, through=through))
            return
        stored = 0
        if shot is not None:
            stored = shot.lines_stored(attempt)
            if max(stored, output.held_from) < output.first:
                return  # what stands before it was lost on the way: all of it is sent again
            shot.lines[(attempt.path, attempt.number)] = max(stored, through)
        if through > stored:
            first, pieces = _from_line(output.first, output.pieces, stored)
            if shot is not None:
                pieces = self._within_limit(shot, attempt, pieces)
            if pieces:
                self._core.touched(key)
                self._core.ledger.output(
                    StoredOutput(*key, attempt.path, attempt.number, first, pieces)
                )
            if live is not None and shot is not None and live.path in shot.tails:
                for _, stream, _ in pieces:
                    shot.tails[live.path].pop(stream, None)
            if pieces:
                self._publish(key, attempt, first, pieces)
        self._core.send(server.identity, OutputStored(attempt=attempt, through=through))

    def tail(self, server: Server, tail: Tail) -> None:
        """Pass on to observers how far a line of a running task's output has come."""
        attempt = tail.attempt
        current = self._current(server, attempt)
        if current is None:
            return
        shot, live = current
        line = OutputLine(
            number=shot.lines_stored(attempt),
            at=tail.at,
            stream=tail.stream,
            text=_readable(tail.text),
        )
        shot.tails.setdefault(live.path, {})[tail.stream] = line
        self._publish(shot.key, attempt, line.number, (), line)

    def _within_limit(
        self, shot: Shot, attempt: AttemptId, pieces: tuple[Piece, ...]
    ) -> tuple[Piece, ...]:
        """Return what of these pieces the journal takes: a note stands where the rest was cut."""
        name, limit = (attempt.path, attempt.number), self._core.config.journal.output_bytes_max
        used = shot.output_bytes.get(name, 0)
        shot.output_bytes[name] = used + sum(len(text) for _, _, text in pieces)
        if shot.output_bytes[name] <= limit:
            return pieces
        if used > limit:
            return ()  # a note says so already
        kept: list[Piece] = []
        for at, stream, text in pieces:
            room = limit - used
            used += len(text)
            if used <= limit:
                kept.append((at, stream, text))
                continue
            whole, newline, _ = text[: room + 1].rpartition(b"\n")
            if newline:
                kept.append((at, stream, whole))
            note = f"[the journal keeps {limit} bytes of an attempt's output: the rest is cut here]"
            kept.append((at, 0, note.encode()))
            break
        return tuple(kept)

    def _publish(
        self,
        key: ShotKey,
        attempt: AttemptId,
        first: int,
        pieces: tuple[Piece, ...],
        tail: OutputLine | None = None,
    ) -> None:
        told = OutputEvent(
            attempt=attempt.number,
            first=first,
            pieces=tuple((at, stream, _readable(text)) for at, stream, text in pieces),
            tail=tail,
        )
        self._core.after(
            self._core.feed.publish(
                output_channel(key, attempt.path), self._core.wall, to_json(told)
            )
        )

    def finished(self, server: Server, result: Finished) -> None:
        """Take a result: settle the action, or keep it as late or unknown; answer it."""
        attempt = result.attempt
        shot, live = self._find(attempt)
        if shot is not None and self._lacks_output(server, shot, result):
            return  # it was lost on the way: both are sent again
        server.attempts.pop(attempt, None)
        if not result.outcome_unknown and (shot is None or shot.was_given(attempt, server.name)):
            self._core.fleet.urls.answered(attempt)
            if shot is None:
                self._core.fleet.scheduling.ended(attempt)
        if result.outcome_unknown and (live is None or live.url is None):
            server.stuck += 1  # until its next beat says so itself
        self._core.server_changed(server)
        self._core.send(
            server.identity,
            Answered(attempt=attempt, verdict=self._store(server, shot, live, result)),
        )

    def _lacks_output(self, server: Server, shot: Shot, result: Finished) -> bool:
        """Whether the server still has lines of what it ran that are not stored."""
        attempt = result.attempt
        stored = shot.lines_stored(attempt)
        is_held = max(stored, result.held_from) < result.lines
        return is_held and shot.was_given(attempt, server.name)

    def _store(
        self, server: Server, shot: Shot | None, live: Transition | None, result: Finished
    ) -> Verdict:
        attempt = result.attempt
        key = ShotKey(attempt.tree, attempt.shot)
        is_given = shot is not None and shot.was_given(attempt, server.name)
        if result.late and shot is not None and is_given:
            return self._prove(server, shot, live, result)
        if shot is None:
            if key in self._core.stored:
                self._core.ledger.record(key, self._late(server, result))
                return Verdict.LATE
        elif (attempt.path, attempt.number) in shot.resulted:
            return Verdict.DUPLICATE
        elif live is not None and live.state in IN_PROGRESS and live.server == server.name:
            self._settle(shot, live, result)
            return Verdict.STORED
        elif is_given:  # else whoever has the attempt will tell: this one must not stand in its way
            self._core.put(shot, self._late(server, result))
            if live is not None and live.outcome_unknown and not result.outcome_unknown:
                prove(self._core, shot, live, f"it has ended meanwhile: {_said(result)}")
            return Verdict.LATE
        self._core.put_system(
            UnknownResult(
                time=self._core.wall,
                tree=attempt.tree,
                shot=attempt.shot,
                path=attempt.path,
                attempt=attempt.number,
                server=server.name,
                status=result.status,
                reason=result.reason,
            )
        )
        words = f"a result of an unknown attempt, {attempt}, from {server.name}"
        self._core.say("warning", words, attempt)
        return Verdict.UNKNOWN

    def _prove(
        self, server: Server, shot: Shot, live: Transition | None, result: Finished
    ) -> Verdict:
        """Take an mdsip server's late answer: what was ended here has ended there, too."""
        attempt = result.attempt
        if (attempt.path, attempt.number) in shot.proven:
            return Verdict.DUPLICATE
        self._core.put(shot, self._late(server, result))
        if live is not None and live.outcome_unknown and live.cause is not None:
            said = _said(result)
            prove(self._core, shot, live, f"it has ended there meanwhile: {said}")
        return Verdict.LATE

    def _late(self, server: Server, result: Finished) -> LateResult:
        return LateResult(
            time=self._core.wall,
            path=result.attempt.path,
            attempt=result.attempt.number,
            server=server.name,
            status=result.status,
            reason=result.reason,
            code=result.code,
            started_at=result.started_at,
            ended_at=result.ended_at,
            duration_s=result.duration_s,
            proof=result.late,
        )

    def _settle(self, shot: Shot, live: Transition, result: Finished) -> None:
        cause = _CAUSES[result.ended_by]
        state = SETTLED_STATE[cause]
        reason = result.reason
        if result.ended_by is EndedBy.ABORT and live.aborting:
            reason = live.reason.removeprefix("aborting: ") or reason
        settled = structs.replace(
            live,
            time=self._core.wall,
            state=state,
            status=(result.status or Status.FAILURE) if state is ActionState.DONE else None,
            cause=cause,
            reason=reason,
            code=result.code,
            outcome_unknown=result.outcome_unknown,
            aborting=False,
            started_at=result.started_at,
            ended_at=result.ended_at,
            duration_s=result.duration_s,
        )
        self._execution.change(shot, settled)
        self._aftermath.after_end(shot, settled)


def _readable(text: bytes) -> str:
    return text.decode("utf-8", "backslashreplace")


def _said(result: Finished) -> str:
    return result.reason or (result.status.value if result.status else result.ended_by.value)


def _from_line(first: int, pieces: tuple[Piece, ...], stored: int) -> tuple[int, tuple[Piece, ...]]:
    """Leave out the lines before number `stored`; a repeat may overlap what is stored."""
    if first >= stored:
        return first, pieces
    kept = []
    number = first
    for at, stream, text in pieces:
        lines = text.count(b"\n") + 1
        if number + lines > stored:
            skip = max(stored - number, 0)
            kept.append((at, stream, text.split(b"\n", skip)[skip] if skip else text))
        number += lines
    return stored, tuple(kept)
