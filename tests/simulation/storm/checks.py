"""The rules that a storm is judged by, beside those of all simulations.

They know records and the bytes of events, and what truly runs on every server; nothing of how the
machines came to their decisions. A violation is an AssertionError that begins with its rule:

* `I1`: nothing starts twice, and nothing starts that was taken back
* `I2`: output that is said to be stored is, without a gap; a server's results have their limit
* `truth`: a result that is recorded is the one that its very attempt had
* `honest`: what is said to be over runs no more, anywhere; doubt is said
* `settled`: what is settled stays as it is until somebody asks for it again
* `slots`: no server is given more than it has slots for
* `HELD`: nothing begins in a run that is HELD; an old one is HELD after a restart
* `I6`: events are numbered without gaps, beats tell the last; what is shown is what is journalled
* `I9`: what Redis has lost is there again, and nothing is written to it for ever
* `term`: whoever dispatches has a higher term than all before
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import msgspec
from tests.simulation.checks import ENDED, Checks, ShotCheck
from tests.simulation.daemons import ServerDaemon

from shotline.common.actions import IN_PROGRESS, ActionState, AttemptId, Cause, Status
from shotline.common.channels import FEED, QUEUE
from shotline.common.messages import Event, OutputStored, Reply
from shotline.common.queue.records import PlanResumed, QueueSwitched
from shotline.common.records import (
    Redispatched,
    RunAborting,
    RunEnded,
    RunOpened,
    RunPutOnHold,
    RunResumed,
    ShotKey,
    ShotRecord,
    StoredOutput,
    TableBuilt,
    Transition,
)
from shotline.common.views import FeedBeat
from shotline.dispatcher import effects as d
from shotline.dispatcher.journal import EncodedCommit

RESUME_WITHIN_S: Final = 60.0
DOUBT_S: Final = 5.0  # between our look at the clocks and the dispatcher's


class StormShot(ShotCheck):
    """One shot, where its state may be written once more after Redis has lost it."""

    def __init__(self) -> None:
        super().__init__()
        self.is_written_anew = False
        self.is_told_anew = False  # ends of runs may stand before what has become of their actions
        self.on_hold: set[int] = set()
        self.aborting: set[int] = set()
        self.must_hold: dict[int, float] = {}  # runs that a new dispatcher must put on hold first
        self.last_record_at: float | None = None

    @property
    def open_run(self) -> int | None:
        """The run that has not ended."""
        return next((run for run in reversed(self.runs) if not self.ended[run]), None)

    def is_told_by(self, records: Sequence[ShotRecord]) -> bool:
        """Return whether these records come to the same."""
        told = StormShot()
        told.is_written_anew = told.is_told_anew = True
        try:
            for record in records:
                with contextlib.suppress(KeyError):  # its beginning was lost, and may be told later
                    told.take(record)
        except AssertionError:
            return False
        return (told.told, told.ended, told.nodes) == (self.told, self.ended, self.nodes)

    @property
    def told(self) -> dict[str, Transition]:
        """What has become of actions, but for those that wait."""
        return {path: live for path, live in self.live.items() if not _is_pending(live)}

    def take(self, record: ShotRecord) -> None:
        """Fold a record, unless it only says again what is known."""
        self.last_record_at = record.time
        if self.is_written_anew and self._is_known(record):
            return
        match record:
            case RunPutOnHold(coming=coming, run=run):
                (self.on_hold.discard if coming else self.on_hold.add)(run)
                self.must_hold.pop(run, None)
            case RunResumed(run=run):
                self.on_hold.discard(run)
                self.must_hold.pop(run, None)
            case RunAborting(run=run):
                self.aborting.add(run)
                self.must_hold.pop(run, None)
            case RunEnded(run=run):
                self.on_hold.discard(run)
                self.must_hold.pop(run, None)
        super().take(record)

    def _run_ended(self, record: RunEnded) -> None:
        if self.is_told_anew:
            self.ended[record.run] += 1
        else:
            super()._run_ended(record)

    def check_order(self, path: str, run: int) -> None:
        """Nothing: the order is looked at where an action is sent; a redispatch may come later."""

    def check_sent(self, path: str, run: int) -> None:
        """I3: this action may be sent now."""
        super().check_order(path, run)

    def _is_known(self, record: ShotRecord) -> bool:
        match record:
            case RunOpened(run=run):
                return run in self.runs
            case RunEnded(run=run):
                return self.ended[run] > 0
            case Transition(path=path):
                live = self.live.get(path)
                return live == record or (live is None and _is_pending(record))
            case TableBuilt():
                return bool(self.nodes)
            case Redispatched(run=run, path=path):
                return self.again[run, path] > 0
            case _:
                return False


class StormChecks(Checks):
    """All shots, all attempts, all events."""

    shots: dict[ShotKey, StormShot]  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.lives: list[ServerDaemon] = []
        self.term = 0
        self.sent: dict[AttemptId, str] = {}  # to which server
        self.never: set[AttemptId] = set()  # proven never to start
        self.over: set[AttemptId] = set()  # said to be over, without a doubt
        self.ends: dict[AttemptId, bool] = {}  # how each has truly ended
        self.busy: dict[str, set[AttemptId]] = {}  # by life of a server: what is in progress there
        self.slots: dict[str, int] = {}
        self.stored: Counter[AttemptId] = Counter()  # lines
        self.safe: set[tuple[int, int]] = set()  # commits that are, or were, in Redis or the file
        self.seen: set[tuple[int, int]] = set()  # of them, those that were taken
        self.numbers: dict[tuple[int, str], int] = {}  # last event by term and channel
        self.is_forgiven = False  # it was forgotten what had happened, and whoever knew has died
        self.asked_again: set[str] = set()  # since then
        self.forgotten: set[str] = set()  # lives of servers of which nobody knew any more, then
        self.began_on: dict[AttemptId, ServerDaemon] = {}
        self.is_queue_asked = False  # since then, to go on
        self.writes_anew = False
        self.may_have_stopped: Callable[[], bool] = lambda: False
        self.runs_elsewhere: Callable[[AttemptId], bool] = lambda _attempt: False

    def shot(self, key: ShotKey) -> StormShot:
        """Return what is known of a shot."""
        found = self.shots.get(key)
        if found is None:
            found = self.shots[key] = StormShot()
        return found

    # The journal

    def commit(self, commit: EncodedCommit) -> bool:
        """Take a commit that is safe now, in Redis or in the spill file, for the first time.

        Return whether it is news: of what nobody has forgotten.
        """
        self.safe.add((commit.term, commit.number))
        if (commit.term, commit.number) in self.seen or commit.term < self.term:
            return False
        self.seen.add((commit.term, commit.number))
        if self.is_forgiven:
            self._note_asked(commit)
            return False
        anew = self.writes_anew and any(
            isinstance(one, TableBuilt)
            for encoded in commit.shots.values()
            for one in encoded.records
        )
        for key, encoded in commit.shots.items():
            shot = self.shot(key)
            shot.is_written_anew = anew
            for record in encoded.records:
                self.record(key, record)  # type: ignore[arg-type]  # a shot's only
            shot.is_written_anew = False
        self.writes_anew = self.writes_anew and not anew
        for life, there in self.busy.items():  # as the whole commit leaves it
            most = self.slots.get(life)
            assert most is None or len(there) <= most, f"slots: {life} has {most}, and {there}"
        for output in commit.outputs:
            self._output(output)
        return True

    def written(self, term: int, number: int) -> None:
        """The journal says that a commit is written."""
        assert (term, number) in self.safe, f"I4: commit {term}-{number} is nowhere"

    def _note_asked(self, commit: EncodedCommit) -> None:
        """Take note of what somebody lets start again, who may know better than the journal."""
        hosted = commit.hosted.get(QUEUE)
        for one in hosted.records if hosted is not None else ():
            is_armed = isinstance(one, QueueSwitched) and one.armed
            self.is_queue_asked = self.is_queue_asked or is_armed or isinstance(one, PlanResumed)
        for encoded in commit.shots.values():
            for record in encoded.records:
                match record:
                    case RunOpened(who="queue") if not self.is_queue_asked:
                        pass  # nobody has
                    case RunOpened(paths=paths):
                        self.asked_again.update(paths)
                    case Redispatched(path=path):
                        self.asked_again.add(path)
                    case RunResumed():
                        self.asked_again.update(attempt.path for attempt in self.starts)

    def _output(self, output: StoredOutput) -> None:
        attempt = AttemptId(output.tree, output.shot, output.path, output.attempt)
        lines = sum(1 + text.count(b"\n") for _, _, text in output.pieces)
        assert output.first == self.stored[attempt] or self.is_forgiven, (
            f"I2: line {output.first} of {attempt} is stored behind {self.stored[attempt]}"
        )
        self.stored[attempt] = output.first + lines

    def record(self, key: ShotKey, record: ShotRecord) -> None:
        """A record was journalled."""
        if not isinstance(record, Transition):
            super().record(key, record)
            return
        shot = self.shot(key)
        before = shot.live.get(record.path)
        super().record(key, record)
        if before == record or (shot.is_written_anew and before is None):
            return
        attempt = AttemptId(key.tree, key.shot, record.path, record.attempt)
        if before is not None and before.cause is not None and attempt in self.sent:
            is_same = before.attempt != record.attempt or (before.state, before.status) == (
                record.state,
                record.status,
            )
            assert is_same or record.cause is None, f"settled: {before.state} becomes {record}"
        if before is not None and before.state in IN_PROGRESS:
            held = AttemptId(key.tree, key.shot, record.path, before.attempt)
            self.busy.get(before.incarnation or "", set()).discard(held)
        if record.state in IN_PROGRESS:
            self._in_progress(attempt, shot, before, record)
        elif record.attempt and attempt in self.sent and not self.is_forgiven:
            self._not_in_progress(attempt, before, record)

    def _in_progress(
        self, attempt: AttemptId, shot: StormShot, before: Transition | None, new: Transition
    ) -> None:
        life = new.incarnation or ""
        there = self.busy.setdefault(life, set())
        there.add(attempt)
        if before is not None and before.state in IN_PROGRESS and before.attempt == new.attempt:
            return
        run = new.run or 0
        assert attempt not in self.sent or self.is_forgiven, f"I1: {attempt} is sent again"
        self.sent[attempt] = new.server or ""
        shot.check_sent(attempt.path, run)
        assert run not in shot.on_hold, f"HELD: {attempt} is sent in run {run}"
        assert run not in shot.must_hold, (
            f"HELD: {attempt} is sent in run {run}, {shot.must_hold[run]:.0f} s old, "
            "which nobody let go on"
        )

    def _not_in_progress(
        self, attempt: AttemptId, before: Transition | None, new: Transition
    ) -> None:
        was_there = before is not None and before.state in IN_PROGRESS
        if new.cause is None:
            if was_there and before is not None and before.attempt == new.attempt:
                assert not self.starts[attempt], f"I1: {attempt} is taken back, and was started"
                self.never.add(attempt)
            return
        if new.outcome_unknown or (new.state not in ENDED and not was_there):
            return
        if new.server is None and not was_there:
            return  # it is about a try that was never sent, and has no number of its own
        runs = [life.incarnation for life in self.lives if attempt in life.runs.values()]
        assert not runs, f"honest: {attempt} runs on {runs}, and is said to be over"
        is_elsewhere = self.runs_elsewhere(attempt)
        assert not is_elsewhere, f"honest: {attempt} runs elsewhere, and is said to be over"
        self.over.add(attempt)
        if new.cause is Cause.RESULT:
            good = self.ends.get(attempt)
            assert good is not None, f"truth: {attempt} has a result, and has not ended"
            assert good is (new.status is Status.SUCCESS), f"truth: {attempt} is {new.status}"

    # Servers

    def start(self, attempt: AttemptId) -> None:
        """A worker process starts an attempt."""
        if self.is_forgiven:
            self.starts[attempt] += 1
            is_once = self.starts[attempt] == 1 or attempt.path in self.asked_again
            assert is_once or self._could_not_tell(attempt), f"I1: {attempt} has started twice"
            return
        assert attempt not in self.never, f"I1: {attempt} was taken back as never started"
        assert attempt not in self.over, f"honest: {attempt} starts, and was said to be over"
        super().start(attempt)

    def _could_not_tell(self, attempt: AttemptId) -> bool:
        """Whether it began where nobody could know of: with the sending the server was forgotten,
        which is dead, or cannot be heard.
        """
        server = self.began_on[attempt]
        return server.incarnation in self.forgotten and not server.is_heard

    def end(self, attempt: AttemptId, *, good: bool) -> None:
        """A task has come to its end by itself."""
        self.ends[attempt] = good

    # The dispatcher

    def effect(self, effect: d.Effect) -> None:
        """An effect leaves the dispatcher."""
        if isinstance(effect, d.Publish):
            self._event(effect.event)
            return
        if isinstance(effect, d.ToPeer):
            for message in effect.messages:
                if isinstance(message, OutputStored):
                    self._output_stored(effect.target, message)
        if not self.is_forgiven:
            super().effect(effect)

    def _output_stored(self, target: bytes, told: OutputStored) -> None:
        attempt = told.attempt
        server = target.decode().rpartition("/")[0]
        if self.sent.get(attempt) == server and not self.is_forgiven:
            assert told.through <= self.stored[attempt], (
                f"I2: line {told.through} of {attempt} is said to be stored, and "
                f"{self.stored[attempt]} are"
            )

    def _commit(self, effect: d.WriteCommit) -> None:
        if not self.writes_anew:
            super()._commit(effect)

    def _event(self, event: Event) -> None:
        key = (event.term, event.channel)
        last = self.numbers.get(key)
        assert event.seq == (last or 0) + 1 or last is None, (
            f"I6: event {event.seq} of {event.channel} comes after {last}"
        )
        self.numbers[key] = event.seq
        if event.channel == FEED:
            beat = msgspec.json.decode(event.payload, type=FeedBeat)
            for channel, told in beat.last.items():
                known = self.numbers.get((event.term, channel), 0)
                # While the journal has stopped, beats overtake what waits for it.
                is_true = told == known or (told > known and self.may_have_stopped())
                assert is_true, f"I6: a beat tells {told} of {channel}, and {known} have left"

    def begins(self, term: int, wall: float, *, has_lost: bool) -> None:
        """A dispatcher begins, with what the journal has, which may have lost who claimed it."""
        assert term > self.term or has_lost, f"term: {term} begins after {self.term}"
        self.term, self.writes_anew = term, False
        for known in [key for key in self.numbers if key[0] == term]:
            del self.numbers[known]  # of a life whose claim was lost
        self.seen = {one for one in self.seen if one[0] != term}
        self.safe = {one for one in self.safe if one[0] != term}
        for shot in self.shots.values():
            run, last = shot.open_run, shot.last_record_at
            if run is None or last is None or run in shot.aborting or run in shot.on_hold:
                continue
            age_s = wall - last
            if age_s > RESUME_WITHIN_S + DOUBT_S:
                shot.must_hold[run] = age_s

    def forgive(self, known: Collection[str]) -> None:
        """Nobody knows any more what Redis has lost: attempts may get numbers again.

        `known`: the lives of servers that it still tells of.
        """
        self.is_forgiven, self.is_queue_asked = True, False
        self.forgotten |= {life.incarnation for life in self.lives} - set(known)
        self.shots.clear()
        self.busy.clear()
        self.stored.clear()

    def reply(self, reply: Reply, key: ShotKey, run: int) -> None:
        """The final reply of a run that was waited for."""
        if not self.is_forgiven:
            super().reply(reply, key, run)

    def at_end(self, live_of: Mapping[ShotKey, Mapping[str, Transition]]) -> None:
        """Faults have stopped, and time has passed."""
        if self.is_forgiven:
            return
        super().at_end(live_of)
        for key, shot in self.shots.items():
            for path, live in shot.live.items():
                assert live.state not in IN_PROGRESS, f"I5: {path} of {key} is still {live.state}"
                if live.state is ActionState.NOT_DISPATCHED and live.run is not None:
                    assert live.cause is not None, f"I5: {path} of {key} has not settled"


def _is_pending(live: Transition) -> bool:
    return live.cause is None and live.state is ActionState.NOT_DISPATCHED
