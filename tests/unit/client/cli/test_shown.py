"""What is shown: hostile text stays text, states have words and symbols, a board follows events."""

import io

import pytest
from msgspec import structs
from rich.console import Console

from shotline.client.board import Board
from shotline.client.cli.views.live_table import LineView, TableView
from shotline.client.cli.views.render import show_actions, show_report
from shotline.client.observer import FeedStopped, News, Whole
from shotline.client.plain import plain
from shotline.client.text import ASCII_SYMBOLS, SYMBOLS, details, duration, state_words
from shotline.common.actions import ActionState, Cause, Colour, Status
from shotline.common.records import (
    Counts,
    EventOutcome,
    EventRaised,
    Record,
    RunEnded,
    RunKind,
    RunOpened,
    RunOutcome,
    RunPutOnHold,
    Transition,
)
from shotline.common.views import (
    ActionsResult,
    ActionView,
    OutputEvent,
    RunReport,
    RunView,
    ShotEvent,
    ShotView,
    SnapshotResult,
)

HOSTILE = "\x1b]0;owned\x07\x1b[31mred[bold]\u202egnihton\r\n\u2028"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Grüße, 5 µs", "Grüße, 5 µs"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\rb\n", "a\\x0db\\x0a"),
        ("\u202e\u2028\udc80", "\\u202e\\u2028\\udc80"),
        ("\x9b1m", "\\x9b1m"),
        ("a\tb", "a   b"),
        ("[red]x[/red]", "[red]x[/red]"),
    ],
)
def test_text_is_shown_as_text(text: str, shown: str) -> None:
    assert plain(text) == shown


def view(
    path: str,
    phase: str = "INIT",
    state: ActionState = ActionState.NOT_DISPATCHED,
    status: Status | None = None,
    cause: Cause | None = None,
    **more: object,
) -> ActionView:
    last = Transition(time=0.0, path=path, state=state, status=status, cause=cause, **more)
    return ActionView(path=path, name=path, server_class="A", phase=phase, last=last)


def drawn(width: int = 200, height: int = 20, *, terminal: bool = False) -> Console:
    return Console(
        file=io.StringIO(),
        width=width,
        height=height,
        markup=False,
        emoji=False,
        highlight=False,
        force_terminal=terminal,
        color_system="truecolor" if terminal else None,
    )


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_hostile_name_and_reason_cannot_reach_the_terminal() -> None:
    action = view(HOSTILE, HOSTILE, ActionState.DONE, Status.FAILURE, Cause.RESULT, reason=HOSTILE)
    out = drawn()
    show_actions(out, ActionsResult(shots=(), actions=(action,)))
    shown = text_of(out)
    assert not {"\x1b", "\x07", "\r", "\u202e", "\u2028"} & set(shown)
    assert "[bold]" in shown


@pytest.mark.parametrize(
    ("action", "words", "colour"),
    [
        (view("X"), "NOT_DISPATCHED", Colour.BLUE),
        (view("X", cause=Cause.OFF), "NOT_DISPATCHED, off", Colour.GREY_OUTLINED),
        (view("X", state=ActionState.DOING), "DOING", Colour.ORANGE),
        (
            view("X", state=ActionState.DOING, aborting=True),
            "DOING, aborting",
            Colour.ORANGE,
        ),
        (
            view("X", "P", ActionState.DONE, Status.SUCCESS, Cause.RESULT),
            "Success",
            Colour.GREEN,
        ),
        (
            view("X", "P", ActionState.DONE, Status.FAILURE, Cause.TIMEOUT),
            "Failure, timeout",
            Colour.RED,
        ),
        (
            view("X", "P", ActionState.ABORTED, None, Cause.SERVER_LOST, outcome_unknown=True),
            "ABORTED, server lost, outcome unknown",
            Colour.RED,
        ),
        (
            view("X", "P", ActionState.SERVER_OFF, None, Cause.NO_SERVER),
            "SERVER_OFF",
            Colour.GREY,
        ),
    ],
)
def test_a_state_has_words_and_a_symbol_besides_its_colour(
    action: ActionView, words: str, colour: Colour
) -> None:
    assert state_words(action.last) == words
    out = drawn()
    show_actions(out, ActionsResult(shots=(), actions=(action,)))
    assert SYMBOLS[colour] in text_of(out)
    assert words in text_of(out)
    assert len(set(ASCII_SYMBOLS.values())) == len(set(SYMBOLS.values())) == len(Colour)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.1234, "0.12 s"), (12.34, "12.3 s"), (61, "1:01 min"), (3600, "1:00 h")],
)
def test_durations_are_said_as_people_say_them(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def board_of(*actions: ActionView) -> Board:
    board = Board("TEST", 1)
    shot = ShotView(tree="TEST", shot=1)
    whole = SnapshotResult(channel="shot/TEST/1", term=1, seq=0, shot=shot, actions=actions)
    board.take(Whole("shot/TEST/1", whole))
    return board


def tell(board: Board, *records: Record, progress: tuple[str, float, str] | None = None) -> None:
    event = ShotEvent(records=records, progress=(progress,) if progress else ())
    board.take(News("shot/TEST/1", 0.0, event))


def opened(*paths: str, kind: RunKind = RunKind.PHASE) -> RunOpened:
    return RunOpened(time=1.0, run=1, kind=kind, phase="INIT", paths=paths)


def test_a_run_resets_its_actions_but_not_those_that_never_run() -> None:
    done = view("A", "INIT", ActionState.DONE, Status.FAILURE, Cause.RESULT, attempt=1)
    off = structs.replace(view("B", cause=Cause.OFF), never=Cause.OFF)
    board = board_of(done, off)
    tell(board, opened("A", "B"))
    assert board.actions["A"].last.cause is None
    assert board.actions["A"].last.attempt == 1
    assert board.actions["B"].last.cause is Cause.OFF
    tell(board, opened("B", kind=RunKind.SINGLE))
    assert board.actions["B"].last.cause is None


def test_the_board_follows_transitions_progress_output_and_the_run() -> None:
    board = board_of(view("A"))
    tell(board, opened("A"))
    tell(
        board,
        Transition(time=1.0, path="A", state=ActionState.DOING, run=1, attempt=1),
        progress=("A", 0.25, "a quarter"),
    )
    output = OutputEvent(attempt=1, first=0, pieces=((0.0, 1, "one\ntwo\n \n"),))
    board.take(News("output/TEST/1/A", 0.0, output))
    assert [action.path for action in board.running()] == ["A"]
    assert board.last_line["A"] == "two"
    tell(
        board,
        Transition(time=1.0, path="A", state=ActionState.DOING, run=1, attempt=1),
        progress=("A", 0.25, "a quarter"),
    )
    assert board.actions["A"].progress == 0.25
    assert board.runs[1].state == "open"
    ended = RunEnded(time=2.0, run=1, outcome=RunOutcome.COMPLETED, counts=Counts(success=1))
    tell(
        board,
        Transition(
            time=2.0,
            path="A",
            state=ActionState.DONE,
            status=Status.FAILURE,
            cause=Cause.RESULT,
            run=1,
            attempt=1,
        ),
        ended,
    )
    assert board.actions["A"].failed
    assert board.actions["A"].progress is None
    lost = EventRaised(
        time=2.0, path="A", attempt=1, event="DONE", outcome=EventOutcome.FAILED, reason="a reason"
    )
    tell(board, lost)
    assert details(board.actions["A"]) == "event DONE was not raised: a reason"
    assert board.run == board.runs[1]
    assert board.runs[1].state == "ended"


def test_a_snapshot_after_a_gap_tells_what_was_missed() -> None:
    board = board_of(view("A"), view("B"))
    done = view("A", "INIT", ActionState.DONE, Status.SUCCESS, Cause.RESULT)
    run = RunView(
        tree="TEST",
        shot=1,
        run=1,
        kind=RunKind.PHASE,
        phase="INIT",
        state="ended",
        outcome=RunOutcome.COMPLETED,
        opened_at=1.0,
        counts=Counts(),
    )
    shot = ShotView(tree="TEST", shot=1, runs=(run,))
    whole = SnapshotResult(
        channel="shot/TEST/1", term=1, seq=9, shot=shot, actions=(done, view("B"))
    )
    assert board.take(Whole("shot/TEST/1", whole)) == [done.last]
    assert board.runs[1].state == "ended"


def test_failed_and_running_rows_come_first_where_not_all_fit() -> None:
    board = board_of(
        *(
            view(f"OK{n}", "INIT", ActionState.DONE, Status.SUCCESS, Cause.RESULT)
            for n in range(50)
        ),
        view("RUNNING", state=ActionState.DOING),
        view("BAD", "INIT", ActionState.DONE, Status.FAILURE, Cause.RESULT),
    )
    rows, hidden = board.rows(10)
    assert [row.path for row in rows[:2]] == ["BAD", "RUNNING"]
    assert len(rows) + hidden == 52
    assert board.rows(52) == (list(board.actions.values()), 0)


def test_the_live_table_fits_the_terminal_and_says_what_it_leaves_out() -> None:
    board = board_of(*(view(f"ACTION{n}") for n in range(500)), view("HOT", "PULSE"))
    tell(board, opened("HOT"))
    tell(board, RunPutOnHold(time=1.0, run=1, reason=HOSTILE))
    out = drawn(80, 15, terminal=True)
    with TableView(out) as shown:
        shown.show(board, ())
        lines = text_of(out).splitlines()
    assert len(lines) <= 15
    assert any("HELD" in line for line in lines)
    assert any("more: " in line and "pending" in line for line in lines)
    assert "\x1b]0;" not in text_of(out)


def test_without_a_terminal_each_transition_is_a_line() -> None:
    board = board_of(view("A"))
    out = drawn()
    lines = LineView(out)
    done = Transition(
        time=0.0,
        path="A",
        state=ActionState.DONE,
        status=Status.FAILURE,
        cause=Cause.RESULT,
        run=1,
        attempt=1,
        server="A:1",
        duration_s=1.5,
        reason=HOSTILE,
    )
    board.take(News("shot/TEST/1", 0.0, ShotEvent(records=(done,))))
    lines.show(board, (opened("A"), done))
    board.take(FeedStopped("shot/TEST/1", 5.0))
    lines.show(board, ())
    first, second, third = text_of(out).splitlines()
    assert "run 1 of INIT has begun" in first
    assert "✗ A  Failure  on A:1  1.50 s" in second
    assert "\x1b" not in second
    assert "the event feed has stopped" in third


def test_a_report_is_shown_with_its_run() -> None:
    run = RunView(
        tree="TEST",
        shot=1,
        run=3,
        kind=RunKind.SEQUENCE,
        phase="INIT",
        first=1,
        last=5,
        state="held",
        reason="overnight",
        opened_at=0.0,
        counts=Counts(pending=2),
    )
    out = drawn()
    show_report(out, RunReport(run=run, actions=(view("A"),)))
    assert "TEST/1  run 3  INIT 1-5  HELD  2 pending  overnight" in text_of(out)


def test_of_very_many_actions_a_list_says_only_the_beginning_of_each_reason() -> None:
    def said(count: int) -> int:
        out = drawn(width=100_000)
        actions = [
            view(f"A{number}", state=ActionState.DONE, reason="it is stuck; " * 100)
            for number in range(count)
        ]
        show_actions(out, ActionsResult(shots=(), actions=tuple(actions)))
        return text_of(out).count("it is stuck")

    assert said(3) == 300
    assert said(2000) < 2000 * 40
