"""Whether a table's sources (file, tree) have changed since it was built, and what follows. Pure.

The tree worker tells how they stand. Where a change would refuse a run, it is asked before the run
begins; where it is only told, while the run begins, and the answer waits for it. Both only for a
moment: a tree that is away, or slow, delays nobody longer, and that nobody knows is said.
"""

from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import NamedTuple

from msgspec import structs

from shotline.common.dangers import Danger, NamedDanger, listed
from shotline.common.nodes import SourceMark
from shotline.common.records import ShotKey, SourceSeen, TableBuilt
from shotline.dispatcher.commands.answer import Answer, Asked
from shotline.dispatcher.commands.requests import Done, Family, Requests
from shotline.dispatcher.shots import Shot
from shotline.dispatcher.trees.jobs import LookAtSourcesJob, TreeDone


class Seen(NamedTuple):
    """What somebody saw who looked at the sources of a shot's tables."""

    changed: tuple[str, ...] = ()  # one sentence for each source
    unknown: tuple[str, ...] = ()  # what could not be looked at, and why
    rereads: bool = True  # whether reading the tree again is enough to have all of it

    @property
    def notices(self) -> tuple[str, ...]:
        """What a reply says of it."""
        return self.changed + self.unknown


def compare(key: ShotKey, then: Sequence[SourceMark], now: Sequence[SourceMark]) -> Seen:
    """Return what has become of a table's sources since it was built."""
    found = {mark.what: mark for mark in now}
    changed: list[SourceMark] = []
    unknown: list[str] = []
    for before in then:
        mark = found.get(before.what)
        if mark is None:
            unknown.append(f"{before.what} is no longer the source of {key}: {_build(key)}")
        elif mark.unseen:
            unknown.append(_unknown(before.what, mark.unseen))
        elif not before.unseen and mark.mark != before.mark:
            changed.append(structs.replace(mark, parts=_parts(before, mark)))
    return Seen(
        tuple(_words(key, mark) for mark in changed),
        tuple(unknown),
        not any(mark.model for mark in changed),
    )


def _parts(before: SourceMark, now: SourceMark) -> dict[str, str]:
    """Return the parts that are new, gone, or others."""
    if not before.parts:
        return {}
    names = {**before.parts, **now.parts}
    return {name: "" for name in names if before.parts.get(name) != now.parts.get(name)}


def _words(key: ShotKey, mark: SourceMark) -> str:
    what = "has changed" if mark.mark else "is no longer there"
    when = f" (on {mark.changed})" if mark.changed else ""
    parts = f": {listed(list(mark.parts))}" if mark.parts else ""
    if mark.model:
        helps = (
            f"the pulse keeps what it was made from; `shotline create-pulse {key.tree} {key.shot} "
            f"--replace`, which loses the pulse's data, and {_build(key)} take the change over"
        )
    else:
        helps = f"{_build(key)} reads it again"
    return f"{mark.what} {what} since the tables of {key} were built{when}{parts}; {helps}"


def _unknown(what: str, why: str) -> str:
    return f"whether {what} has changed since the tables were built is not known: {why}"


def _build(key: ShotKey) -> str:
    return f"`shotline build-tables {key.tree} {key.shot}`"


class Sources(Family):
    """Looks at the sources of tables before they are run."""

    def __init__(self, requests: Requests) -> None:
        super().__init__(requests)
        self._due: dict[int, float] = {}  # looks that are waited for, and how long

    def look(
        self, asked: Asked, shot: Shot, go_on: Callable[[Seen], Answer | None]
    ) -> Answer | None:
        """Go on with what is seen, or with what is not in time; at once where nothing is to see."""
        known = known_marks(shot)
        if not known:
            return go_on(Seen())
        self._ask(asked, shot, known, go_on)
        return None

    def look_meanwhile(self, asked: Asked, shot: Shot, answer: Answer | None) -> Answer | None:
        """Return a begun run's answer, if there is one, once what is seen was added to it."""
        known = known_marks(shot)
        if not known:
            return answer
        self._requests.hold_back(asked, answer)
        self._ask(asked, shot, known, lambda seen: self._requests.noted(asked, seen.notices))
        return None

    def _ask(
        self,
        asked: Asked,
        shot: Shot,
        known: tuple[str, ...],
        go_on: Callable[[Seen], Answer | None],
    ) -> None:
        def looked(done: Done) -> Answer | None:
            assert isinstance(done, TreeDone)
            del self._due[done.job]
            return go_on(self.seen(shot, built, done))

        built, wait_s = shot.built, self._core.config.dispatcher.source_look_s
        job = self._requests.later(asked, looked)
        self._due[job] = self._core.now + wait_s
        self._core.at_once(LookAtSourcesJob(job=job, key=shot.key, known=known, wait_s=wait_s))

    def seen(self, shot: Shot, built: TableBuilt | None, done: TreeDone) -> Seen:
        """Return what a look tells of the tables that were there when it began; note it."""
        current = self._core.shots.get(shot.key)
        if built is None or current is None or current.built is None:
            return Seen()
        if current.built.time != built.time or not known_marks(current):
            return Seen()  # they were built anew meanwhile
        if done.error:
            what = " and ".join(mark.what for mark in built.sources)
            return Seen(unknown=(_unknown(what, done.error),))
        seen = compare(shot.key, built.sources, done.sources)
        told = "; ".join(seen.changed)
        if not seen.unknown and told != current.source_changed:
            self._core.put(current, SourceSeen(time=self._core.wall, changed=told))
        for text in seen.changed:
            self._core.say("warning", text, shot.key)
        return seen

    @property
    def due(self) -> float:
        """When a look is waited for no longer (monotonic)."""
        return min(self._due.values()) if self._due else inf

    def tick(self) -> None:
        """Go on without the looks that are late."""
        if not self._due:
            return
        wait_s = self._core.config.dispatcher.source_look_s
        late = f"no answer within {wait_s:g} s (dispatcher.source_look_s)"
        for job in [job for job, due in self._due.items() if self._core.now >= due]:
            self._requests.done(job, TreeDone(job=job, error=late))


def known_marks(shot: Shot) -> tuple[str, ...]:
    """Return the marks of the tables' sources that can be compared; none: nobody looks."""
    if shot.built is None or shot.table.options.changed_source == "ignore":
        return ()
    return tuple(mark.mark for mark in shot.built.sources if not mark.unseen)


def refuses(shot: Shot) -> bool:
    """Return whether the shot's experiment refuses to run tables whose sources have changed."""
    return shot.table.options.changed_source == "refuse"


def dangers(shot: Shot, seen: Seen) -> Iterator[NamedDanger]:
    """Yield why a run is refused where its experiment refuses changed sources."""
    if refuses(shot) and seen.changed:
        text = "; ".join(seen.changed)[:8000]
        yield NamedDanger(danger=Danger.SOURCE_CHANGED, text=text)
