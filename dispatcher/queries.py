"""The commands that only read: status, servers, actions, stories, outputs, snapshots. Pure."""

from shotline.common import commands as c
from shotline.common.messages import Outcome
from shotline.common.records import CheckReset
from shotline.common.views import CheckResult, LogsResult, ServersResult, ShotsResult
from shotline.dispatcher.desk import Answer, Asked, Refused, Unknown
from shotline.dispatcher.effects import OutputRead, ReadOutput, ReadShot, ShotRead
from shotline.dispatcher.feed import shot_channel
from shotline.dispatcher.office import Done, Office
from shotline.dispatcher.shots import Shot


class Queries:
    """Answers questions; what is not in memory is read from Redis first."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._core = office.core
        self._execution = office.execution
        self._answers = office.answers
        self._choice = office.choice
        self.broker = ""  # the life of the broker that we talk to

    def read(self, asked: Asked, command: c.AnyCommand) -> Answer | None:
        """Answer a question."""
        answers = self._answers
        match command:
            case c.Status():
                return Answer(Outcome.OK, "", answers.status(self.broker))
            case c.Servers():
                return Answer(Outcome.OK, "", ServersResult(servers=answers.servers()))
            case c.PrintPending():
                return Answer(Outcome.OK, "", answers.pending())
            case c.Shots():
                return Answer(Outcome.OK, "", self._shots(command.tree))
            case c.Snapshot():
                return self._snapshot(asked, command.channel)
            case c.Actions() | c.Show() | c.Logs() | c.Check():
                return self._on_loaded(asked, command)
        raise Refused(f"{command.verb} is not carried out here")

    def _snapshot(self, asked: Asked, channel: str) -> Answer | None:
        def answer() -> Answer:
            result = self._answers.snapshot(channel)
            if result is None:
                raise Unknown(f"nothing is known of channel {channel}")
            return Answer(Outcome.OK, "", result)

        key = next((key for key in self._core.stored if shot_channel(key) == channel), None)
        return answer() if key is None else self._office.on_loaded(asked, key, answer)

    def _on_loaded(
        self, asked: Asked, command: c.Actions | c.Show | c.Logs | c.Check
    ) -> Answer | None:
        key = self._choice.key(command)
        return self._office.on_loaded(asked, key, lambda: self._of_shot(asked, command))

    def _of_shot(
        self, asked: Asked, command: c.Actions | c.Show | c.Logs | c.Check
    ) -> Answer | None:
        shot = self._choice.shot(command)
        match command:
            case c.Actions():
                phase = command.phase and shot.table.find_phase(command.phase)
                actions = self._answers.actions(shot, phase)
                return Answer(Outcome.OK, "", actions, _source_notices(shot))
            case c.Check():
                return self._check(shot, reset=command.reset)
            case c.Show():
                path = shot.table.find(command.path)

                def told(done: Done) -> Answer:
                    assert isinstance(done, ShotRead)
                    notice = (f"the stored part is missing: {done.error}",) if done.error else ()
                    story = self._answers.story(shot, path, done.records)
                    return Answer(Outcome.OK, "", story, _source_notices(shot) + notice)

                self._core.after(ReadShot(self._office.later(asked, told), shot.key))
                return None
            case c.Logs():
                return self._logs(asked, shot, command)

    def _check(self, shot: Shot, *, reset: bool) -> Answer:
        failures = tuple(
            self._answers.action(shot, path)
            for path in shot.essential_failures
            if path in shot.actions
        )
        if reset:
            self._core.put(shot, CheckReset(time=self._core.wall))
        if not failures:
            text = f"{shot.key}: no essential action has failed"
            return Answer(Outcome.OK, text, CheckResult(failures=()), _source_notices(shot))
        names = ", ".join(view.name for view in failures)
        return Answer(
            Outcome.FAILED,
            f"{shot.key}: essential actions have failed: {names}",
            CheckResult(failures=failures),
            _source_notices(shot),
        )

    def _logs(self, asked: Asked, shot: Shot, command: c.Logs) -> Answer | None:
        path = shot.table.find(command.path)

        def read(done: Done) -> Answer:
            assert isinstance(done, OutputRead)
            if done.error:
                raise Refused(f"the output of {path} cannot be read now: {done.error}")
            return Answer(
                Outcome.OK,
                "",
                LogsResult(
                    path=path,
                    attempt=done.attempt,
                    attempts=done.attempts,
                    lines=done.lines,
                    more=done.more,
                    tails=() if done.more else shot.tails_of(path, done.attempt),
                ),
            )

        attempt = command.attempt or shot.attempts.get(path, 0)
        self._core.after(
            ReadOutput(
                self._office.later(asked, read),
                shot.key,
                path,
                attempt,
                command.since,
                command.limit,
            )
        )
        return None

    def _shots(self, tree: str | None) -> ShotsResult:
        core = self._core
        keys = sorted(
            (key for key in {*core.stored, *core.shots} if tree in (None, key.tree)),
            key=lambda key: (key.tree, -key.shot),
        )
        return ShotsResult(
            shots=tuple(
                self._answers.shot(core.shots[key])
                if key in core.shots
                else self._answers.stored(key)
                for key in keys
            )
        )


def _source_notices(shot: Shot) -> tuple[str, ...]:
    return (shot.source_changed,) if shot.source_changed else ()
