"""What `watch` and `display-logs` show of a shot while it goes on."""

import json
from collections import defaultdict

from rich.console import Console
from rich.control import Control
from rich.segment import ControlType

from shotline.client.board import Board
from shotline.client.cli.base import console, options_of, say
from shotline.client.cli.views.live_table import view_for
from shotline.client.cli.views.render import show_line, show_tail
from shotline.client.cli.views.watching import Watching
from shotline.client.errors import Refused
from shotline.client.observer import (
    FeedStopped,
    News,
    Tails,
    Whole,
    lines_of,
)
from shotline.client.supervisor import Supervisor
from shotline.common.actions import ActionState
from shotline.common.base import as_plain
from shotline.common.channels import output_of, shot_channel
from shotline.common.process.streams import reader_needed
from shotline.common.records import ShotKey, Transition
from shotline.common.views import ActionView, LogsResult, OutputEvent, OutputLine, ShotEvent

ANY = "ANY"
LINES_AT_ONCE = 10_000


def named_shot(shotline: Supervisor, tree: str | None, shot: int | None) -> tuple[str, int]:
    """Return the shot that was named, else the current pulse."""
    if tree is not None and shot is not None:
        return tree.upper(), shot
    current = shotline.status().current
    if current is None:
        raise Refused("there is no current pulse; name a shot, or make one with create-pulse")
    return current


def watch(tree: str | None, shot: int | None, *, until_end: bool) -> None:
    """Show a shot's actions live, until Ctrl-C or until no run is open."""
    with reader_needed(), options_of().supervisor() as shotline:
        tree, shot = named_shot(shotline, tree, shot)
        shotline.actions(tree, shot)  # refused in words, and read back where it is an old one
        if options_of().json:
            _watch_json(shotline, tree, shot)
            return
        with view_for(console()) as view:
            watching = Watching(shotline, tree, shot, view)
            try:
                watching.follow(lambda board: until_end and is_over(board))
            except KeyboardInterrupt:
                return


def is_over(board: Board) -> bool:
    """Return whether the last run has ended."""
    return bool(board.actions) and board.run is not None and board.run.state == "ended"


def _watch_json(shotline: Supervisor, tree: str, shot: int) -> None:
    """Write one JSON object per line: the whole, then what happens."""
    for update in shotline.events(shot_channel(ShotKey(tree.upper(), shot))):
        if isinstance(update, News):
            shown = {"at": update.at, "event": as_plain(update.payload)}
        elif isinstance(update, FeedStopped):
            shown = {"feed_stopped_s": update.silent_s}
        elif isinstance(update, Whole):
            shown = {"snapshot": as_plain(update.snapshot)}
        else:
            shown = {"unknown": update.why}
        say(json.dumps(shown))


def display_logs(
    server_class: str, path: str, tree: str | None, shot: int | None, *, follow: bool
) -> None:
    """Show output while it comes, until the action has ended or for as long as `follow` says."""
    with reader_needed(), options_of().supervisor() as shotline:
        tree, shot = named_shot(shotline, tree, shot)
        chosen = _chosen(shotline, tree, shot, server_class, path)
        shown = _Output(shotline, tree, shot, chosen, many=path == ANY)
        try:
            shown.run(until_settled=path != ANY and not follow)
        except KeyboardInterrupt:
            return


def _chosen(
    shotline: Supervisor, tree: str, shot: int, server_class: str, path: str
) -> dict[str, ActionView]:
    """Return the class's actions, or the one of that path or name."""
    found = shotline.actions(tree, shot).actions
    of_class = [action for action in found if action.server_class == server_class]
    if not of_class:
        known = ", ".join(sorted({action.server_class for action in found})) or "none"
        raise Refused(f"{tree}/{shot} has no actions of class {server_class}; it has {known}")
    if path != ANY:
        of_class = [action for action in of_class if path.upper() in _names(action)]
        if not of_class:
            raise Refused(f"class {server_class} has no action {path} in {tree}/{shot}")
    return {action.path: action for action in of_class}


def _names(action: ActionView) -> tuple[str, str]:
    return action.path.upper(), action.name.upper()


class _Output:
    """The output of some actions: stored lines first, then lines as they come, each once."""

    def __init__(
        self,
        shotline: Supervisor,
        tree: str,
        shot: int,
        actions: dict[str, ActionView],
        *,
        many: bool,
    ) -> None:
        self._shotline = shotline
        self._shot = (tree, shot)
        self._actions = actions
        self._many = many
        self._next: dict[str, tuple[int, int]] = {}  # path: attempt and number of the next line
        self._last = {path: action.last for path, action in actions.items()}
        self._out: Console = console()
        self._json = options_of().json
        self._tails: defaultdict[str, Tails] = defaultdict(Tails)  # by path
        self._has_tail = False

    def run(self, *, until_settled: bool) -> None:
        """Show it until Ctrl-C, or until the actions are settled."""
        try:
            self._follow(until_settled=until_settled)
        finally:
            if self._has_tail:
                self._out.print()  # what is shown next begins a line of its own

    def _follow(self, *, until_settled: bool) -> None:
        with self._shotline.watch(*self._shot) as stream:
            stream.get()  # subscribed and in step: what is stored from now on comes as events, too
            for path, action in self._actions.items():
                if action.last.attempt:
                    self._stored(path, action.last.attempt)
            while not (until_settled and self._settled()):
                update = stream.get()
                if isinstance(update, News):
                    self._take(update)
                elif isinstance(update, FeedStopped):
                    say("note: the event feed has stopped", err=True)
                elif isinstance(update, Whole):
                    for action in update.snapshot.actions:
                        self._changed(action.last)

    def _take(self, news: News) -> None:
        if isinstance(news.payload, OutputEvent):
            named = output_of(news.channel)
            if named is not None and named[1] in self._actions:
                self._came(named[1], news.payload)
        elif isinstance(news.payload, ShotEvent):
            for record in news.payload.records:
                if isinstance(record, Transition):
                    self._changed(record)

    def _changed(self, last: Transition) -> None:
        before = self._last.get(last.path)
        if before is None or before == last:
            return
        self._last[last.path] = last
        if last.cause is not None and last.attempt:
            self._stored(last.path, last.attempt)  # whatever the taps have missed

    def _came(self, path: str, event: OutputEvent) -> None:
        attempt, following = self._next.get(path, (event.attempt, 0))
        if event.attempt < attempt:
            return
        if event.attempt > attempt:
            following = 0
        if event.first > following:
            self._stored(path, event.attempt)
            attempt, following = self._next.get(path, (event.attempt, 0))
        for line in lines_of(event):
            if line.number >= following:
                self._show(path, line)
                following = line.number + 1
        self._next[path] = (event.attempt, following)
        if event.tail is not None:
            self._tail(path, event.tail)

    def _stored(self, path: str, attempt: int) -> None:
        """Show the stored lines of an attempt that were not shown yet."""
        while True:
            before, following = self._next.get(path, (attempt, 0))
            if attempt < before:
                return
            since = following if attempt == before else 0
            found: LogsResult = self._shotline.logs(
                path, *self._shot, attempt=attempt, since=since, limit=LINES_AT_ONCE
            )
            for line in found.lines:
                self._show(path, line)
                since = line.number + 1
            self._next[path] = (attempt, since)
            if not found.more or not found.lines:
                break
        for tail in found.tails:
            self._tail(path, tail)

    def _settled(self) -> bool:
        return all(
            last.cause is not None and last.state is not ActionState.DOING
            for last in self._last.values()
        )

    def _tail(self, path: str, line: OutputLine) -> None:
        """Show a line that has not ended: on a terminal, where what follows takes its place."""
        is_news = self._tails[path].is_news(line)
        if is_news and not self._json and self._out.is_terminal:
            self._clear()
            show_tail(self._out, line, self._who(path))
            self._has_tail = True

    def _clear(self) -> None:
        """Take back a line that had not ended."""
        if self._has_tail:
            self._has_tail = False
            back = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))
            self._out.control(back)

    def _show(self, path: str, line: OutputLine) -> None:
        self._clear()
        self._tails[path].ended(line)
        if self._json:
            say(json.dumps({"path": path, **as_plain(line)}))
        else:
            show_line(self._out, line, self._who(path))

    def _who(self, path: str) -> str:
        return (self._actions[path].name or path) if self._many else ""
