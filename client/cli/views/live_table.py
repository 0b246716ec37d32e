"""A shot as it goes on: a live table on a terminal, else one line per transition.

What is shown is the `Board`'s; nothing is asked for here.
"""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Final, Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from shotline.client.board import ORDER, Board
from shotline.client.cli.views.render import symbol, table
from shotline.client.plain import plain
from shotline.client.text import (
    STYLES,
    clock,
    colour,
    counts_words,
    details,
    duration,
    state_words,
    taken,
)
from shotline.common.actions import ActionState, Colour
from shotline.common.records import (
    Record,
    RunAborting,
    RunEnded,
    RunOpened,
    RunPutOnHold,
    RunResumed,
    Transition,
)
from shotline.common.views import ActionView

BAR_WIDTH: Final = 30
REDRAW_S: Final = 0.1
HEAD_LINES: Final = 3
WORDS: Final = {
    Colour.RED: "failed",
    Colour.GREY: "server off",
    Colour.ORANGE: "in progress",
    Colour.BLUE: "pending",
    Colour.GREEN: "success",
    Colour.GREY_OUTLINED: "not dispatched",
}


class View(Protocol):
    """Something that shows a board."""

    def show(self, board: Board, news: Sequence[Record]) -> None:
        """Show the board as it stands, `news` being what has changed."""

    def say(self, text: str) -> None:
        """Say something beside the board."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def view_for(out: Console) -> View:
    """Return the view that fits the console."""
    return TableView(out) if out.is_terminal and not out.is_dumb_terminal else LineView(out)


class LineView:
    """One line per transition, for files, pipes and people who read them later."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._stale = False

    def show(self, board: Board, news: Sequence[Record]) -> None:
        """Write a line for each transition and each change of a run."""
        if (board.stale_s is not None) != self._stale:
            self._stale = board.stale_s is not None
            self.say("the event feed has stopped" if self._stale else "the event feed goes on")
        for record in news:
            line = self._line(board, record)
            if line is not None:
                self._out.print(Text.assemble(f"{clock(record.time)} ", line), soft_wrap=True)

    def say(self, text: str) -> None:
        """Write a line."""
        self._out.print(Text(text), soft_wrap=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def _line(self, board: Board, record: Record) -> Text | None:
        match record:
            case Transition():
                return self._transition(board, record)
            case RunOpened():
                words = f"run {record.run} of {plain(record.phase)} has begun{_by(record.who)}"
                return Text(words, style="bold")
            case RunEnded():
                took = f" after {duration(record.duration_s)}" if record.duration_s else ""
                words = f"run {record.run} {record.outcome.value}{took}"
                bad = record.counts.failed + record.counts.server_off > 0
                style = "bold red" if bad else "bold"
                return Text(f"{words}: {counts_words(record.counts)}", style=style)
            case RunPutOnHold() | RunAborting():
                word = "HELD" if isinstance(record, RunPutOnHold) else "is being aborted"
                return Text(f"run {record.run} {word}: {plain(record.reason)}", style="bold red")
            case RunResumed():
                return Text(f"run {record.run} goes on{_by(record.who)}", style="bold")
            case _:
                return None

    def _transition(self, board: Board, record: Transition) -> Text:
        shown = colour(record)
        action = board.actions.get(record.path)
        name = (action.name if action else "") or record.path
        parts = [state_words(record)]
        if record.server:
            parts.append(f"on {plain(record.server)}")
        if record.duration_s is not None:
            parts.append(duration(record.duration_s))
        if record.reason:
            parts.append(plain(record.reason))
        mark = symbol(self._out, shown)
        return Text.assemble(mark, f" {plain(name)}  ", ("  ".join(parts), STYLES[shown]))


class TableView:
    """A table that is drawn again as things happen, and fits the terminal."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._live = Live(console=out, auto_refresh=False, transient=False)
        self._drawn_at = 0.0
        self._said: list[str] = []

    def show(self, board: Board, news: Sequence[Record]) -> None:
        """Draw the board again, at most ten times a second; a run's end is drawn at once."""
        now = time.monotonic()
        if now - self._drawn_at < REDRAW_S and not any(isinstance(one, RunEnded) for one in news):
            return
        self._drawn_at = now
        self._live.update(self._drawing(board), refresh=True)

    def say(self, text: str) -> None:
        """Write a line above the table."""
        self._live.console.print(Text(text))

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def _drawing(self, board: Board) -> Group:
        now = time.time()
        phases = board.phases()
        space = self._out.height - HEAD_LINES - len(phases) - 1
        rows, hidden = board.rows(max(3, space))
        parts: list[Text | Table] = [
            self._head(board, now),
            *(self._phase(*item) for item in phases.items()),
        ]
        parts.append(self._table(board, rows, now))
        if hidden:
            shown = Counter(colour(action.last) for action in board.actions.values())
            shown.subtract(colour(action.last) for action in rows)
            parts.append(Text(f"… and {hidden} more: {_counted(shown)}", style="dim"))
        return Group(*parts)

    def _head(self, board: Board, now: float) -> Text:
        head = Text(f"{board.tree}/{board.shot}", style="bold")
        run = board.run
        if run is not None:
            state = run.state.upper() if run.state == "held" else run.state
            head.append(f"  run {run.run} of {plain(run.phase)}  {state}")
            if run.state != "ended":
                head.append(f"  {duration(max(0.0, now - run.opened_at))}")
            if run.reason:
                head.append(f"  {plain(run.reason)}")
        if board.stale_s is not None:
            head.append("  THE EVENT FEED HAS STOPPED: what is shown is old", style="bold red")
        head.truncate(self._out.width)
        return head

    def _phase(self, phase: str, counts: Counter[Colour]) -> Text:
        total = max(1, counts.total())
        line = Text(f"  {plain(phase) or '-':<12.12} ")
        left = BAR_WIDTH
        for shown in (Colour.GREEN, Colour.RED, Colour.GREY, Colour.ORANGE, Colour.GREY_OUTLINED):
            width = min(left, round(BAR_WIDTH * counts[shown] / total))
            left -= width
            solid = shown is not Colour.GREY_OUTLINED
            line.append(("█" if solid else "░") * width, style=_bar_style(shown))
        line.append("·" * left, style=STYLES[Colour.BLUE])
        line.append(f"  {_counted(counts)}")
        line.truncate(self._out.width)
        return line

    def _table(self, board: Board, rows: Sequence[ActionView], now: float) -> Table:
        drawn = table(
            "",
            "ACTION",
            "CLASS",
            "PHASE",
            "STATE",
            "TIME",
            "DETAILS",
            rows=(self._row(board, action, now) for action in rows),
        )
        for column in drawn.columns:
            column.no_wrap = True
            column.overflow = "ellipsis"
        drawn.columns[-1].ratio = 1
        drawn.expand = True
        return drawn

    def _row(self, board: Board, action: ActionView, now: float) -> tuple[Text | str, ...]:
        shown = colour(action.last)
        more = Text(details(action, now))
        if action.last.state is ActionState.DOING:
            if action.progress is not None:
                filled = round(10 * action.progress)
                more = Text.assemble(
                    ("█" * filled, STYLES[shown]), ("·" * (10 - filled), "dim"), " ", more
                )
            if line := board.last_line.get(action.path):
                more.append(f"  {plain(line)}" if more.plain else plain(line), style="dim")
        return (
            symbol(self._out, shown),
            plain(action.name or action.path),
            plain(action.server_class),
            plain(action.phase),
            Text(state_words(action.last), style=STYLES[shown]),
            taken(action.last, now),
            more,
        )


def _bar_style(shown: Colour) -> str:
    return "grey62" if shown is Colour.GREY else STYLES[shown]


def _counted(counts: Counter[Colour]) -> str:
    order = (*ORDER, Colour.GREY_OUTLINED)
    return ", ".join(f"{counts[shown]} {WORDS[shown]}" for shown in order if counts[shown] > 0)


def _by(who: str) -> str:
    return f", by {plain(who)}" if who else ""
