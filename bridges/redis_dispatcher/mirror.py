"""What the old programs are to see: the fold of the feed into changes of the old keys. Pure.

Updates of Shotline's channels come in, changes come out. How a shot is folded is the client
library's `Board`; servers are `mirrored_servers`'s; what the old words are is `translation`'s. The
ends of runs are not changes but debts (`due`), owed until they were published: an old program that
waits for END_PHASE must get it, also when Redis or the bridge was away meanwhile.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from msgspec import structs

from shotline.bridges.redis_dispatcher import changes as ch
from shotline.bridges.redis_dispatcher import translation as old
from shotline.bridges.redis_dispatcher.changes import Change
from shotline.bridges.redis_dispatcher.mirrored_servers import MirroredServers
from shotline.client.board import Board
from shotline.client.observer import FeedStopped, News, Unknown, Update, Whole
from shotline.common.actions import IN_PROGRESS, ActionState
from shotline.common.channels import FEED, SERVERS, shot_of
from shotline.common.records import (
    NodeRead,
    PulseCreated,
    RunKind,
    RunOpened,
    ShotKey,
    TableBuilt,
    Transition,
)
from shotline.common.views import ActionView, RunView, ServersEvent, ShotEvent

LOOKS_MAX: Final = 5
_ENDED: Final = (ActionState.DONE, ActionState.ABORTED)


class LastRun(NamedTuple):
    """The last run of a tree."""

    opened_at: float
    key: ShotKey
    run: int
    phase: str


@dataclass(slots=True)
class MirroredShot:
    """One shot: its board, and what was told of it."""

    board: Board
    announced: int | None = None  # the last run whose END_PHASE was published; None: not known
    told: dict[str, tuple[int, bool]] = field(default_factory=dict)  # path: attempt, its end too
    looks: int = 0  # how often it was not found since it was last seen

    @property
    def is_open(self) -> bool:
        """Whether a run has not ended."""
        return any(not self.is_over(run) for run in self.board.runs.values())

    def is_over(self, run: RunView) -> bool:
        """Return whether a run has ended, or is none that anybody knows any more."""
        return run.state == "ended" or self.looks >= LOOKS_MAX


class Mirror:
    """All that is mirrored. `trees`: only these experiments; None: all."""

    def __init__(self, trees: Iterable[str] | None = None, shots_max: int = 10) -> None:
        self.trees = None if trees is None else frozenset(trees)
        self.shots: dict[ShotKey, MirroredShot] = {}  # the one that was quiet longest first
        self.servers = MirroredServers()
        self._shots_max = shots_max
        self._markers: dict[ShotKey, int] = {}
        self._begun: dict[ShotKey, int] = {}  # the first run of old programs, by shot
        self._known_before: frozenset[ShotKey] | None = None
        self._current: ShotKey | None = None
        self._built: tuple[float, ShotKey] | None = None
        self._phases: dict[str, LastRun] = {}  # of each tree, the latest at the end

    # What the shell asks and tells

    def wants(self, tree: str) -> bool:
        """Return whether an experiment is mirrored."""
        return self.trees is None or tree in self.trees

    def remember(self, markers: Mapping[ShotKey, int]) -> None:
        """Take what earlier bridges have announced."""
        for key, run in markers.items():
            self._markers[key] = max(run, self._markers.get(key, 0))

    def known_before(self, keys: Iterable[ShotKey]) -> None:
        """Take the shots that were there before the bridge: nobody waits for their past.

        Only the first call counts: later ones are after the feed was away.
        """
        if self._known_before is None:
            self._known_before = frozenset(keys)

    def begun(self, key: ShotKey, run: int) -> None:
        """Take that an old program has begun a run: its end is announced in any case."""
        self._begun[key] = min(run, self._begun.get(key, run))

    def due(self) -> list[ch.EndPhase]:
        """Return the ends of runs that were not published yet, in their order."""
        return [
            ch.EndPhase(key, number, run.phase)
            for key, shot in self.shots.items()
            for number, run in sorted(shot.board.runs.items())
            if shot.announced is not None
            and number > shot.announced
            and shot.is_over(run)
            and run.kind is not RunKind.SINGLE
        ]

    def announced(self, key: ShotKey, run: int) -> None:
        """Take that a run's END_PHASE was published."""
        self._markers[key] = max(run, self._markers.get(key, 0))
        shot = self.shots.get(key)
        if shot is not None and shot.announced is not None:
            shot.announced = max(run, shot.announced)

    def holders(self, server_class: str, path: str) -> list[ShotKey]:
        """Return the shots in which this action runs, was sent, or waits in an open run."""
        found = []
        for key, shot in self.shots.items():
            action = shot.board.actions.get(path)
            if action is None or action.server_class != server_class:
                continue
            live = action.last
            pending = live.cause is None and live.run is not None and shot.is_open
            if live.state in IN_PROGRESS or pending:
                found.append(key)
        return found

    def everything(self) -> list[Change]:
        """Return all that makes the old keys right again, after Redis was away."""
        found: list[Change] = []
        for key, shot in self.shots.items():
            found += self._shot_anew(key, shot)
        found += self.servers.everything()
        found += self._never_there()
        if self._built is not None:
            found.append(_last_built(self._built[1]))
        found += self._current_pulse()
        found += self._last_phases()
        return found

    # The fold

    def take(self, update: Update) -> list[Change]:
        """Take one update of the feed."""
        match update:
            case News(channel=channel) if channel == FEED:
                return self.servers.beats()
            case News(payload=ServersEvent(servers=servers)):
                return self.servers.take(servers)
            case Whole(channel=channel, snapshot=snapshot) if channel == SERVERS:
                return [*self.servers.take_all(snapshot.servers), *self._never_there()]
            case FeedStopped(channel=channel) if channel == SERVERS:
                return self.servers.all_off()
        key = shot_of(update.channel)
        if key is None or not self.wants(key.tree):
            return []
        match update:
            case Whole():
                return [*self._whole(key, update), *self._leave_some(key)]
            case News(payload=ShotEvent() as event) if key in self.shots:
                self.shots[key] = self.shots.pop(key)
                return list(self._news(key, self.shots[key], update, event))
            case Unknown():
                return self._unknown(key)
        return []

    def _whole(self, key: ShotKey, update: Whole) -> Iterator[Change]:
        shot = self.shots.pop(key, None) or MirroredShot(Board(key.tree, key.shot))
        self.shots[key] = shot
        shot.looks = 0
        before = {path: action.last for path, action in shot.board.actions.items()}
        runs_before = dict(shot.board.runs)
        shot.board.take(update)
        view = update.snapshot.shot
        is_new, was_past = shot.announced is None, self._is_past(key)
        if max(runs_before, default=0) > max(shot.board.runs, default=0):
            yield from self._vanished(key, shot, runs_before)
        shot.announced = self._baseline(key, shot)
        yield from self._shot_anew(key, shot, fill=is_new and was_past)
        if view is not None:
            if view.built_at is not None and (
                self._built is None or key == self._built[1] or view.built_at > self._built[0]
            ):
                self._built = (view.built_at, key)
                yield _last_built(key)
            if view.current and self._current != key:
                self._current = key
                yield from self._current_pulse()
        if self._note_phase(key, shot):
            yield from self._last_phases()
        if not is_new or not was_past:
            for path, action in shot.board.actions.items():
                if before.get(path) != action.last:
                    yield from self._told(key, shot, action, action.last)
        else:
            shot.told = {
                path: (action.last.attempt, action.last.state in _ENDED)
                for path, action in shot.board.actions.items()
                if action.last.state in (*_ENDED, ActionState.DOING)
            }

    def _vanished(
        self, key: ShotKey, shot: MirroredShot, runs_before: Mapping[int, RunView]
    ) -> Iterator[Change]:
        """Tell the end of open runs that Shotline knows no more: its journal was begun anew."""
        shot.told.clear()
        for number, run in runs_before.items():
            open_one = number not in shot.board.runs and run.state != "ended"
            if open_one and run.kind is not RunKind.SINGLE:
                yield ch.Publish(old.MONITOR, old.end_phase(key.tree, key.shot, run.phase))

    def _baseline(self, key: ShotKey, shot: MirroredShot) -> int:
        """Return the last run whose end is told already, or need not be told."""
        last = max(shot.board.runs, default=0)
        known = shot.announced if shot.announced is not None else self._markers.get(key)
        if known is not None:
            return known if known <= last else 0  # Shotline has begun to count anew
        if not self._is_past(key):
            return 0
        begun = self._begun.get(key, last + 1)
        return max(
            (one for one, run in shot.board.runs.items() if run.state == "ended" and one < begun),
            default=0,
        )

    def _is_past(self, key: ShotKey) -> bool:
        """Return whether a shot, seen for the first time, was there before this bridge."""
        return key in self._markers or key in (self._known_before or ())

    def _shot_anew(
        self, key: ShotKey, shot: MirroredShot, *, fill: bool = True
    ) -> Iterator[Change]:
        actions = list(shot.board.actions.values())
        classes: dict[str, list[tuple[str, str]]] = {}
        for action in actions:
            of_class = classes.setdefault(action.server_class, [])
            of_class.append((action.path, old.info_of(action.last)))
        hashes = [(ch.info_key(key, name), tuple(fields)) for name, fields in classes.items()]
        hashes += [
            (ch.status_key(key), tuple((one.path, old.status_of(one.last)) for one in actions)),
            (ch.server_key(key), tuple((one.path, one.server_class) for one in actions)),
            (ch.phase_key(key), tuple((one.path, one.phase.upper()) for one in actions if one.on)),
        ]
        yield ch.ReplaceShot(key, tuple((name, fields) for name, fields in hashes if fields))
        yield from self.servers.never_there(classes)
        if shot.announced is not None:
            yield ch.SetFields(ch.MARKERS, ((ch.shot_name(key), str(shot.announced)),))
        yield from (_abort_request(one) for one in actions if one.last.state in IN_PROGRESS)
        if fill:
            wanted = [
                _output(key, one, announce=False) for one in actions if one.last.state in _ENDED
            ]
            if wanted:
                yield ch.FillOutputs(key, tuple(wanted))

    def _news(
        self, key: ShotKey, shot: MirroredShot, update: News, event: ShotEvent
    ) -> Iterator[Change]:
        shot.board.take(update)
        changed: dict[str, None] = {}
        transitions: list[Transition] = []
        for record in event.records:
            match record:
                case Transition():
                    changed[record.path] = None
                    transitions.append(record)
                case RunOpened():
                    changed |= dict.fromkeys(record.paths)
                    if self._note_phase(key, shot, is_news=True):
                        yield from self._last_phases()
                case PulseCreated():
                    shot.board.actions.clear()
                    shot.told.clear()
                    self._current = key
                    yield ch.ReplaceShot(key)
                    yield from self._current_pulse()
                case TableBuilt():
                    self._built = (record.time, key)
                    yield _last_built(key)
                    shot.board.needs_snapshot = True
                case NodeRead():
                    shot.board.needs_snapshot = True
        yield from self._fields_of(key, shot, changed)
        for live in transitions:
            action = shot.board.actions.get(live.path)
            if action is not None:
                yield from self._told(key, shot, action, live)
        if shot.board.needs_snapshot:
            shot.board.needs_snapshot = False
            yield ch.Refresh(key)

    def _fields_of(
        self, key: ShotKey, shot: MirroredShot, paths: Iterable[str]
    ) -> Iterator[Change]:
        info: dict[str, list[tuple[str, str]]] = {}
        status: list[tuple[str, str]] = []
        for path in paths:
            action = shot.board.actions.get(path)
            if action is None:
                continue
            info.setdefault(action.server_class, []).append((path, old.info_of(action.last)))
            status.append((path, old.status_of(action.last)))
            if action.last.state in (*IN_PROGRESS, *_ENDED):
                yield _abort_request(action)
        for server_class, fields in info.items():
            yield ch.SetFields(ch.info_key(key, server_class), tuple(fields))
        if status:
            yield ch.SetFields(ch.status_key(key), tuple(status))

    def _told(
        self, key: ShotKey, shot: MirroredShot, action: ActionView, live: Transition
    ) -> Iterator[Change]:
        """Tell that an action has begun or ended, each once for each attempt."""
        attempt, end_too = shot.told.get(live.path, (0, False))
        is_end = live.state in _ENDED
        if live.state is not ActionState.DOING and not is_end:
            return
        if (live.attempt, is_end) <= (attempt, end_too):
            return
        shot.told[live.path] = (live.attempt, is_end)
        has_begun = live.state is not ActionState.ABORTED or live.started_at is not None
        if live.attempt > attempt and has_begun:
            text = old.doing(key, action.server_class, live, action.nid)
            yield ch.Publish(old.MONITOR, text)
        if is_end:
            yield _output(key, structs.replace(action, last=live), announce=True)
            yield ch.Publish(old.MONITOR, old.done(key, action.server_class, live, action.nid))

    def _note_phase(self, key: ShotKey, shot: MirroredShot, *, is_news: bool = False) -> bool:
        """Return whether the shot's last run is its tree's last, and is told for the first time.

        News is the latest. Of two shots that are seen as they stand the clock has to tell, although
        it may have been set meanwhile.
        """
        runs = shot.board.runs
        number = max(
            (one for one, run in runs.items() if run.kind is not RunKind.SINGLE), default=0
        )
        if not number:
            return False
        seen = runs[number]
        last = LastRun(seen.opened_at, key, number, seen.phase)
        before = self._phases.get(key.tree)
        if before is not None and (
            before.run == number
            if before.key == key
            else not is_news and last.opened_at <= before.opened_at
        ):
            return False
        self._phases.pop(key.tree, None)
        self._phases[key.tree] = last
        return True

    def _last_phases(self) -> Iterator[Change]:
        if not self._phases:
            return
        fields = tuple((tree, last.phase) for tree, last in self._phases.items())
        yield ch.SetFields("CURRENT_PHASE", fields)
        last = list(self._phases.values())[-1]
        yield _dispatch_info(self._current or last.key, ("CURR_PHASE", last.phase))

    def _current_pulse(self) -> Iterator[Change]:
        key = self._current
        if key is not None:
            yield ch.SetFields("DISPATCH_DEFAULT", (("TREE", key.tree), ("SHOT", str(key.shot))))
            yield _dispatch_info(key)

    def _never_there(self) -> list[Change]:
        return self.servers.never_there(
            action.server_class
            for shot in self.shots.values()
            for action in shot.board.actions.values()
        )

    def _leave_some(self, latest: ShotKey) -> Iterator[Change]:
        quiet = [key for key, shot in self.shots.items() if not shot.is_open and key != latest]
        owed = {one.key for one in self.due()}
        for key in quiet[: max(0, len(self.shots) - self._shots_max)]:
            if key not in owed:
                del self.shots[key]
                yield ch.Leave(key)

    def _unknown(self, key: ShotKey) -> list[Change]:
        """Look a few times more for a shot; then its runs are over for whoever waits for them."""
        shot = self.shots.get(key)
        if shot is None:
            return []
        shot.looks += 1
        return [ch.LookAgain(key)] if shot.looks < LOOKS_MAX else []


def _abort_request(action: ActionView) -> Change:
    asked = "1" if action.last.aborting else "0"
    return ch.SetFields(f"ABORT_REQUESTS:{action.server_class}", ((action.path, asked),))


def _output(key: ShotKey, action: ActionView, *, announce: bool) -> ch.FetchOutput:
    live = action.last
    ran = (live.started_at, live.ended_at or live.time) if live.started_at is not None else None
    return ch.FetchOutput(
        key, live.path, live.attempt, action.server_class, old.status_of(live), ran, announce
    )


def _last_built(key: ShotKey) -> Change:
    text = json.dumps({"tree": key.tree, "shot": str(key.shot)})
    return ch.SetText("LAST_BUILD_TABLE", text)


def _dispatch_info(key: ShotKey, *more: tuple[str, str]) -> Change:
    shown = (("CURR_TREE", key.tree), ("CURR_SHOT", str(key.shot)), *more)
    return ch.SetFields("DISPATCH_INFO", shown)
