"""Following a shot: its events go to a board, the board to a view, until something has happened."""

import time
from collections.abc import Callable
from typing import Final

from shotline.client.board import Board
from shotline.client.cli.views.live_table import View
from shotline.client.connection import EventStream
from shotline.client.supervisor import Supervisor
from shotline.common.records import Record

TICK_S: Final = 0.25  # running times are drawn again this often


class Watching:
    """One shot, watched. Commands may be sent with the same supervisor meanwhile."""

    def __init__(self, supervisor: Supervisor, tree: str, shot: int, view: View) -> None:
        self.board = Board(tree.upper(), shot)
        self._view = view
        self._stream: EventStream = supervisor.watch(tree, shot)

    def follow(self, done: Callable[[Board], bool]) -> None:
        """Show what happens until `done`. Raise Refused when there is no such shot."""
        while not done(self.board):
            self._step(TICK_S)

    def follow_run(self, run: int) -> None:
        """Show what happens until a run has ended or is HELD."""
        self.follow(lambda board: run in board.runs and board.runs[run].state in ("ended", "held"))

    def close(self) -> None:
        """Listen no longer."""
        self._stream.close()

    def _step(self, timeout_s: float) -> None:
        news: list[Record] = []
        deadline = time.monotonic() + timeout_s
        update = self._stream.get(timeout_s)
        while update is not None:
            news += self.board.take(update)
            if time.monotonic() >= deadline:
                break  # a busy shot is drawn, too
            update = self._stream.get(0)
        if self.board.needs_snapshot:
            self.board.needs_snapshot = False
            self._stream.refresh()
        self._view.show(self.board, news)
