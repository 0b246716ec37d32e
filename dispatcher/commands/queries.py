"""The commands that only read: status, servers, actions, stories, outputs, snapshots. Pure."""

from functools import partial

from shotline.common import commands as c
from shotline.common.channels import shot_channel
from shotline.common.dangers import listed
from shotline.common.messages import Outcome
from shotline.common.records import Audited, CheckReset, ShotKey, place_of
from shotline.common.views import AuditResult, ServerLogResult, ServersResult
from shotline.dispatcher.commands import meant
from shotline.dispatcher.commands.answer import Answer, Asked, Refused, Unknown
from shotline.dispatcher.commands.requests import Done, Family
from shotline.dispatcher.journal import (
    AuditRead,
    OutputRead,
    ReadAudit,
    ReadOutput,
    ReadShot,
    ShotRead,
)
from shotline.dispatcher.shots import Shot


class Queries(Family):
    """Answers questions; what is not in memory is read from Redis first."""

    def read(self, asked: Asked, command: c.AnyCommand) -> Answer | None:
        """Answer a question."""
        views = self._views
        match command:
            case c.SystemStatus():
                return Answer(Outcome.OK, "", views.status())
            case c.Servers():
                return Answer(Outcome.OK, "", ServersResult(servers=views.servers()))
            case c.ServerLog():
                return self._server_log(command)
            case c.PrintPending():
                return Answer(Outcome.OK, "", views.pending(command.since))
            case c.Shots():
                keys = self._keys(command.tree)
                return Answer(Outcome.OK, "", views.shots(keys, command.since))
            case c.Snapshot():
                return self._snapshot(asked, command)
            case c.Audit():
                self._audit(asked, command)
                return None
            case c.NoteAccess():
                return Answer(Outcome.OK, "")  # and so into the audit
            case c.Actions() | c.Show() | c.Logs() | c.Check():
                return self._on_loaded(asked, command)
        raise Refused(f"{command.verb} is not carried out here")

    def _server_log(self, command: c.ServerLog) -> Answer:
        core, name = self._core, command.server
        if name not in core.logs and name not in core.fleet.servers:
            raise Unknown(f"nothing is known of a server {name}")
        lines = core.logs.of(name, command.limit)
        return Answer(Outcome.OK, "", ServerLogResult(server=name, lines=lines))

    def _snapshot(self, asked: Asked, command: c.Snapshot) -> Answer | None:
        channel = command.channel

        def answer() -> Answer:
            result = self._views.snapshot(channel, command.since)
            if result is None:
                raise Unknown(f"nothing is known of channel {channel}")
            return Answer(Outcome.OK, "", result)

        key = next((key for key in self._core.stored if shot_channel(key) == channel), None)
        return answer() if key is None else self._requests.on_loaded(asked, key, answer)

    def _on_loaded(
        self, asked: Asked, command: c.Actions | c.Show | c.Logs | c.Check
    ) -> Answer | None:
        key = meant.key_of(self._core, command)
        return self._requests.on_loaded(asked, key, lambda: self._of_shot(asked, command))

    def _of_shot(
        self, asked: Asked, command: c.Actions | c.Show | c.Logs | c.Check
    ) -> Answer | None:
        shot = meant.shot_of(self._core, command)
        match command:
            case c.Actions():
                phase = command.phase and shot.table.find_phase(command.phase)
                actions = self._views.actions(shot, phase, command.since)
                return Answer(Outcome.OK, "", actions, _source_notices(shot))
            case c.Check():
                return self._check(shot, command)
            case c.Show():
                path = shot.table.find(command.path)

                def told(done: Done) -> Answer:
                    assert isinstance(done, ShotRead)
                    notice = (f"the stored part is missing: {done.error}",) if done.error else ()
                    story = self._views.story(shot, path, done.records, command.since)
                    return Answer(Outcome.OK, "", story, _source_notices(shot) + notice)

                self._core.after(ReadShot(self._requests.later(asked, told), shot.key))
                return None
            case c.Logs():
                return self._logs(asked, shot, command)

    def _check(self, shot: Shot, command: c.Check) -> Answer:
        failures = self._views.failures(shot, command.since)
        names = [shot.table.node(path).name for path in shot.essential_failures]
        if command.reset and failures.is_last:  # not before all were told
            self._core.put(shot, CheckReset(time=self._core.wall))
        notices = _source_notices(shot)
        if not names:
            text = f"{shot.key}: no essential action has failed"
            return Answer(Outcome.OK, text, failures, notices)
        text = f"{shot.key}: essential actions have failed: {listed(names)}"
        return Answer(Outcome.FAILED, text, failures, notices)

    def _logs(self, asked: Asked, shot: Shot, command: c.Logs) -> Answer | None:
        path = shot.table.find(command.path)

        def read(done: Done) -> Answer:
            assert isinstance(done, OutputRead)
            if done.error:
                raise Refused(f"the output of {path} cannot be read now: {done.error}")
            return Answer(Outcome.OK, "", self._views.output(shot, path, done, command.limit))

        attempt = command.attempt or shot.attempts.get(path, 0)
        self._core.after(
            ReadOutput(
                self._requests.later(asked, read),
                shot.key,
                path,
                attempt,
                command.since,
                command.limit,
            )
        )
        return None

    def _audit(self, asked: Asked, command: c.Audit) -> None:
        def read(done: Done) -> Answer:
            assert isinstance(done, AuditRead)
            if done.error:
                raise Refused(f"the audit cannot be read now: {done.error}")
            return Answer(Outcome.OK, "", AuditResult(lines=done.lines, next=done.next))

        self._core.after(
            ReadAudit(
                self._requests.later(asked, read),
                partial(_is_wanted, command),
                command.limit,
                self._core.page_bytes,
                command.before,
                _later(command.after, command.since),
            )
        )

    def _keys(self, tree: str | None) -> list[ShotKey]:
        """Return the shots of an experiment, or of all; the newest first."""
        core = self._core
        return sorted(
            (key for key in {*core.stored, *core.shots} if tree in (None, key.tree)),
            key=lambda key: (key.tree, -key.shot),
        )


def _later(after: str | None, since: float | None) -> str | None:
    """Return the id behind which lines are asked for, by an id, by their time, or by both."""
    of_time = (max(int((since or 0) * 1000) - 1, 0), 0)
    of_id = place_of(after) if after is not None else of_time
    return "{}-{}".format(*max(of_id, of_time))


def _is_wanted(asked: c.Audit, line: Audited) -> bool:
    """Return whether a line of the audit is asked for."""
    names = (line.who, line.program, line.key, line.address, line.browser)
    return (
        (asked.since is None or line.time >= asked.since)
        and asked.command in (None, line.verb)
        and asked.tree in (None, line.tree)
        and asked.shot in (None, line.shot)
        and asked.outcome in (None, line.outcome)
        and (asked.who is None or any(asked.who.lower() in name.lower() for name in names))
    )


def _source_notices(shot: Shot) -> tuple[str, ...]:
    return (shot.source_changed,) if shot.source_changed else ()
