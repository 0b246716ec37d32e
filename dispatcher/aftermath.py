"""What the tree is told when an action has ended: its completion event, its status (D13). Pure."""

from shotline.common.actions import ActionState, AttemptId, Status
from shotline.common.records import EventOutcome, EventRaised, ShotKey, Transition
from shotline.dispatcher.core import Core
from shotline.dispatcher.shots import Shot
from shotline.dispatcher.trees.jobs import RaiseEventJob, TreeDone, WriteStatusJob


class Aftermath:
    """Raises events and writes statuses behind the journal; remembers what is not confirmed."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._jobs: dict[int, tuple[ShotKey, str, int, str]] = {}  # that raise events

    def after_end(self, shot: Shot, live: Transition) -> None:
        """Raise the completion event of an action that became DONE, write its status back."""
        node, options = shot.table.node(live.path), shot.table.options
        if options.write_status and live.code is not None:
            job = self._core.next_job()
            self._core.after(WriteStatusJob(job=job, key=shot.key, path=live.path, code=live.code))
        wanted = options.completion_events == "all" or live.status is Status.SUCCESS
        if live.state is not ActionState.DONE or not wanted or not node.completion_event:
            return
        self._note(shot, live.path, live.attempt, node.completion_event, EventOutcome.INTENDED)
        job = self._core.next_job()
        self._jobs[job] = (shot.key, live.path, live.attempt, node.completion_event)
        self._core.after(RaiseEventJob(job=job, key=shot.key, event=node.completion_event))

    def done(self, done: TreeDone) -> bool:
        """Take the end of a tree job that raised an event. False when it is another job."""
        found = self._jobs.pop(done.job, None)
        if found is None:
            return False
        key, path, attempt, event = found
        shot = self._core.shots.get(key)
        if shot is not None:
            outcome = EventOutcome.FAILED if done.error else EventOutcome.RAISED
            self._note(shot, path, attempt, event, outcome, done.error)
        elif done.error:
            about = AttemptId(*key, path, attempt)
            self._core.say("error", f"{key}: event {event} was not raised: {done.error}", about)
        return True

    def give_up(self, shot: Shot) -> None:
        """After a restart: events whose raising was not confirmed are shown as such (D13)."""
        for (path, attempt), event in list(shot.events.items()):
            self._note(shot, path, attempt, event, EventOutcome.PERHAPS_NOT_RAISED)

    def _note(
        self,
        shot: Shot,
        path: str,
        attempt: int,
        event: str,
        outcome: EventOutcome,
        reason: str = "",
    ) -> None:
        self._core.put(
            shot,
            EventRaised(
                time=self._core.wall,
                path=path,
                attempt=attempt,
                event=event,
                outcome=outcome,
                reason=reason,
            ),
        )
