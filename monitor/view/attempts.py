"""One attempt of an action as its readers see it: its states and its output, without a gap. Pure.

An attempt's channel is made when somebody asks for it: what is stored is read, what happens
meanwhile waits. Lines are numbered, so that missing ones are seen and asked for.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from shotline.client.observer import Tails, lines_of
from shotline.common.actions import ActionState
from shotline.common.records import Record, ShotKey, Transition
from shotline.common.views import OutputEvent, OutputLine
from shotline.monitor.messages import (
    action_message,
    attempt_end,
    output_message,
    plain,
    progress_message,
    tail_message,
)
from shotline.monitor.names import attempt_id
from shotline.monitor.view.effects import AskLines, Effect, End, Post

LINES_PER_MESSAGE: Final = 500
TEXT_PER_MESSAGE: Final = 64 * 1024  # characters, each of up to six bytes in JSON
WAITING_MAX: Final = 10_000


@dataclass(slots=True)
class Attempt:
    """One attempt that somebody looks at."""

    key: ShotKey
    path: str
    number: int
    loading: bool = True
    ended: bool = False
    next_line: int = 0
    _asked_from: int = -1
    _tails: Tails = field(default_factory=Tails)
    _told: list[Transition] = field(default_factory=list)
    _settled: tuple[Transition, bool] | None = None
    _waiting: list[tuple[Transition, bool] | OutputEvent] = field(default_factory=list)

    @property
    def channel(self) -> str:
        """The id of its channel."""
        return attempt_id(self.key, self.path, self.number)

    def ended_at(self, records: Iterable[Record]) -> float | None:
        """Return when the attempt settled, by its story; None while it has not."""
        for record in self._mine(records):
            if record.cause is not None:
                return record.time
        return None

    def loaded(
        self,
        records: Iterable[Record],
        lines: Sequence[OutputLine],
        tails: Sequence[OutputLine] = (),
        *,
        failed: bool,
        time: float,
    ) -> Iterator[Effect]:
        """Take what is stored: the action's story and the attempt's output so far."""
        mine = self._mine(records)
        began_at = mine[0].time if mine else time
        yield Post(self.channel, plain("STARTED", began_at, {"task_id": self.path}))
        for record in mine:
            if record.cause is None:
                yield from self._tell(record, failed=False)
        yield from self._lines(lines, tails)
        self.loading = False
        for record in mine:
            if record.cause is not None:
                yield from self.transition(record, failed=failed)
        yield from self._catch_up()

    def lines(
        self, lines: Sequence[OutputLine], tails: Sequence[OutputLine] = ()
    ) -> Iterator[Effect]:
        """Take lines that were asked for; an attempt that has settled ends with them."""
        self.loading = False
        yield from self._lines(lines, tails)
        if self._settled is not None:
            yield from self._end(*self._settled)
        else:
            yield from self._catch_up()

    def transition(self, record: Transition, *, failed: bool) -> Iterator[Effect]:
        """Take a change of the action that belongs to this attempt."""
        if self.ended or self._settled is not None:
            return
        if self.loading:
            self._wait((record, failed))
        elif record.cause is None:
            yield from self._tell(record, failed=failed)
        else:
            # The last lines may have been lost on their way to us: nothing later would show it.
            self._settled = (record, failed)
            self.loading = True
            yield AskLines(self.channel, self.next_line)

    def output(self, event: OutputEvent) -> Iterator[Effect]:
        """Take output as it comes."""
        if self.ended or event.attempt != self.number:
            return
        if self.loading:
            self._wait(event)
        elif event.first > self.next_line and self._asked_from != self.next_line:
            self._wait(event)
            self.loading = True
            self._asked_from = self.next_line
            yield AskLines(self.channel, self.next_line)
        else:
            yield from self._lines(
                list(lines_of(event)), () if event.tail is None else (event.tail,)
            )

    def progress(self, time: float, fraction: float, text: str) -> Iterator[Effect]:
        """Take the running action's progress."""
        if not self.ended and not self.loading:
            yield Post(
                self.channel,
                progress_message(time, self.path, fraction, text),
                f"p/{self.path}",
            )

    def _mine(self, records: Iterable[Record]) -> list[Transition]:
        return [
            record
            for record in records
            if isinstance(record, Transition)
            and record.attempt == self.number
            and record.path == self.path
            # Pending again, it still has the number of the attempt before.
            and (record.state is not ActionState.NOT_DISPATCHED)
        ]

    def _wait(self, event: tuple[Transition, bool] | OutputEvent) -> None:
        if len(self._waiting) < WAITING_MAX or not isinstance(event, OutputEvent):
            self._waiting.append(event)  # output beyond it is a gap, and asked for

    def _catch_up(self) -> Iterator[Effect]:
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            if isinstance(event, OutputEvent):
                yield from self.output(event)
            else:
                yield from self.transition(event[0], failed=event[1])

    def _tell(self, record: Transition, *, failed: bool) -> Iterator[Effect]:
        if record not in self._told:
            self._told.append(record)
            yield Post(self.channel, action_message(record, failed=failed), f"a/{self.path}")

    def _lines(self, lines: Sequence[OutputLine], tails: Sequence[OutputLine]) -> Iterator[Effect]:
        new = [line for line in lines if line.number >= self.next_line]
        for part in _parts(new):
            yield Post(self.channel, output_message(part[0].at, self.path, part))
        if new:
            self.next_line = new[-1].number + 1
        for line in new:
            self._tails.ended(line)
        for tail in filter(self._tails.is_news, tails):
            key = f"t/{tail.stream}/{self.path}"
            yield Post(self.channel, tail_message(self.path, tail), key)

    def _end(self, record: Transition, failed: bool) -> Iterator[Effect]:  # noqa: FBT001
        self.ended = True
        self._waiting.clear()
        yield from self._tell(record, failed=failed)
        yield Post(self.channel, plain(attempt_end(record), record.time, {"task_id": self.path}))
        yield End(self.channel)


def _parts(lines: Sequence[OutputLine]) -> Iterator[list[OutputLine]]:
    """Yield lines in parts that one message can carry."""
    part: list[OutputLine] = []
    size = 0
    for line in lines:
        if part and (len(part) == LINES_PER_MESSAGE or size + len(line.text) > TEXT_PER_MESSAGE):
            yield part
            part, size = [], 0
        part.append(line)
        size += len(line.text)
    if part:
        yield part
