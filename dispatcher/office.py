"""What commands share: the parts they act on, and the way to go on after a tree or Redis answers.

A command that must wait leaves a continuation here; its answer follows. Pure.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from shotline.common.records import ShotKey
from shotline.dispatcher.choice import Choice
from shotline.dispatcher.core import Core
from shotline.dispatcher.desk import Answer, Asked, Desk, Refused, Unknown
from shotline.dispatcher.effects import OutputRead, ReadShot, ShotRead, TreeDone
from shotline.dispatcher.execution import Execution
from shotline.dispatcher.proofs import take_proofs
from shotline.dispatcher.reading.views import Answers
from shotline.dispatcher.shots import Shot
from shotline.dispatcher.table import LookupFailed

Done = TreeDone | ShotRead | OutputRead
Continuation = Callable[[Done], Answer | None]


@dataclass(slots=True)
class Office:
    """The parts of the machine that commands act on."""

    core: Core
    execution: Execution
    answers: Answers
    choice: Choice
    desk: Desk
    building: dict[ShotKey, None] = field(default_factory=dict)  # tables that are being read
    _continuations: dict[int, tuple[Asked, Continuation]] = field(default_factory=dict)

    def later(self, asked: Asked, go_on: Continuation) -> int:
        """Return the number of a job after which the command goes on."""
        job = self.core.next_job()
        self._continuations[job] = (asked, go_on)
        return job

    def done(self, job: int, done: Done) -> None:
        """Go on with the command that waits for this; one that nobody waits for is dropped."""
        found = self._continuations.pop(job, None)
        if found is None:
            if done.error:  # nobody waits for it, as for a status that is written back
                self.core.say("warning", done.error)
            return
        asked, go_on = found
        try:
            answer = go_on(done)
        except LookupFailed as error:
            answer = Unknown(str(error)).answer()
        except Refused as refused:
            answer = refused.answer()
        if answer is not None:
            self.desk.answer(asked, answer)

    def on_loaded(
        self, asked: Asked, key: ShotKey, go_on: Callable[[], Answer | None]
    ) -> Answer | None:
        """Go on at once, or after a shot that is stored but not in memory was read."""
        if key in self.core.shots or key not in self.core.stored:
            return go_on()

        def loaded(done: Done) -> Answer | None:
            assert isinstance(done, ShotRead)
            if done.error:
                raise Refused(f"{key} cannot be read now: {done.error}")
            shot = Shot(key)
            for record in done.records:
                shot.apply(record)
            shot.lines.update(done.lines)
            shot = self.core.shots.setdefault(key, shot)
            for server in self.core.fleet.servers.values():
                take_proofs(self.core, shot, server.register)
            self.core.unload(keep=key)
            return go_on()

        self.core.after(ReadShot(self.later(asked, loaded), key))
        return None
