"""An attempt's channel: its story and output without gaps, whatever comes when."""

import json
from collections.abc import Iterable

from shotline.common.actions import ActionState, Cause, Status
from shotline.common.records import Record, ShotKey, Transition
from shotline.common.views import OutputEvent, OutputLine
from shotline.monitor.view.attempts import Attempt
from shotline.monitor.view.effects import AskLines, Effect, End, Post

PATH = "\\T::TOP:A"


def live(state: ActionState, attempt: int = 2, time: float = 1.0) -> Transition:
    settled = state is ActionState.DONE
    return Transition(
        time=time,
        path=PATH,
        state=state,
        attempt=attempt,
        cause=Cause.RESULT if settled else None,
        status=Status.SUCCESS if settled else None,
    )


DISPATCHED, DOING, DONE = map(live, (ActionState.DISPATCHED, ActionState.DOING, ActionState.DONE))


def line(number: int) -> OutputLine:
    return OutputLine(number=number, at=1.0, stream=1, text=f"line {number}")


def output(first: int, count: int = 1) -> OutputEvent:
    text = "\n".join(f"line {number}" for number in range(first, first + count))
    return OutputEvent(attempt=2, first=first, pieces=((1.0, 1, text),))


class Watched:
    """An attempt and what it has told."""

    def __init__(self) -> None:
        self.attempt = Attempt(ShotKey("T", 1), PATH, 2)
        self.commands: list[str] = []
        self.lines: list[str] = []
        self.tails: list[str] = []
        self.asked: list[int] = []
        self.ended = False

    def take(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Post(_, body):
                    text = body.decode()
                    self.commands.append(text.split('"')[3])
                    if '"TAIL"' in text:
                        self.tails.append(json.loads("{" + text)["text"])
                    if '"OUTPUT"' in text:
                        self.lines += [part.split('"')[0] for part in text.split(',"line ')[1:]]
                case AskLines(_, since):
                    self.asked.append(since)
                case End():
                    self.ended = True
                case _:
                    raise AssertionError(effect)

    def loaded(self, records: Iterable[Record], lines: Iterable[OutputLine]) -> None:
        self.take(self.attempt.loaded(records, list(lines), failed=False, time=5.0))

    def transition(self, record: Transition) -> None:
        self.take(self.attempt.transition(record, failed=False))

    def output(self, event: OutputEvent) -> None:
        self.take(self.attempt.output(event))


def numbers(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def test_what_is_stored_comes_first_and_then_what_happens() -> None:
    watched = Watched()
    watched.loaded([live(ActionState.DONE, 1), DISPATCHED, DOING], [line(0), line(1)])
    watched.output(output(2))
    watched.transition(DONE)
    assert watched.asked == [3]  # the last lines may have been lost on their way
    assert not watched.ended
    watched.take(watched.attempt.lines([line(3)]))
    assert watched.commands == [
        "STARTED", "ACTION", "ACTION", "OUTPUT", "OUTPUT", "OUTPUT", "TASK", "FINISHED"
    ]  # fmt: skip
    assert watched.lines == numbers(4)
    assert watched.ended


def test_what_happens_while_the_stored_part_is_read_is_told_once() -> None:
    watched = Watched()
    watched.transition(DOING)
    watched.output(output(1, 2))
    watched.loaded([DISPATCHED, DOING], [line(0), line(1)])
    assert watched.commands.count("ACTION") == 2
    assert watched.lines == numbers(3)


def test_missing_lines_are_asked_for_and_put_in_their_place() -> None:
    watched = Watched()
    watched.loaded([DISPATCHED], [])
    watched.output(output(0))
    watched.output(output(3))
    watched.output(output(4))
    assert watched.asked == [1]
    assert watched.lines == numbers(1)
    watched.take(watched.attempt.lines([line(1), line(2), line(3)]))
    assert watched.lines == numbers(5)


def test_lines_that_nobody_has_are_asked_for_once() -> None:
    watched = Watched()
    watched.loaded([DISPATCHED], [])
    watched.output(output(7))
    watched.take(watched.attempt.lines([]))
    assert watched.asked == [0]
    assert watched.lines == ["7"]


def tail(text: str, at: float, number: int = 1) -> OutputLine:
    return OutputLine(number=number, at=at, stream=1, text=text)


def began(text: str, at: float) -> OutputEvent:
    return OutputEvent(attempt=2, first=1, pieces=(), tail=tail(text, at))


def test_a_line_that_has_not_ended_is_told_unless_newer_ones_are_known() -> None:
    watched = Watched()
    watched.output(began("10 %", 1.5))
    watched.output(began("20 %", 2.5))
    records = [DISPATCHED, DOING]
    watched.take(
        watched.attempt.loaded(records, [line(0)], [tail("20 %", 2.5)], failed=False, time=5.0)
    )
    watched.output(began("30 %", 3.5))
    assert watched.tails == ["20 %", "20 %", "30 %"]
    watched.output(OutputEvent(attempt=2, first=1, pieces=((4.5, 1, "done"),)))
    watched.output(began("40 %", 4.0))  # it came late
    assert watched.tails[3:] == []


def test_an_attempt_that_has_settled_already_ends_at_once() -> None:
    watched = Watched()
    watched.loaded([DISPATCHED, DOING, DONE], [line(0)])
    watched.take(watched.attempt.lines([]))
    assert watched.commands[-2:] == ["TASK", "FINISHED"]
    assert watched.ended
    watched.transition(DONE)
    watched.output(output(1))
    assert watched.lines == numbers(1)


def test_another_attempts_output_is_not_ours() -> None:
    watched = Watched()
    watched.loaded([DISPATCHED], [])
    watched.output(OutputEvent(attempt=1, first=0, pieces=((1.0, 1, "line 0"),)))
    assert watched.lines == []


def test_when_an_attempt_ended_is_in_its_story() -> None:
    story = [live(ActionState.DONE, 1, 10.0), DISPATCHED, live(ActionState.DONE, 2, 20.0)]
    assert Watched().attempt.ended_at(story) == 20.0
    assert Watched().attempt.ended_at([live(ActionState.DONE, 1)]) is None
