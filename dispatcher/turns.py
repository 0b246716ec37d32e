"""Whose turn it is: sequence numbers within server classes, barriers and synchronized numbers (D2).

Conditions, states and causes are not known here: an action of a run is unsettled or settled. Pure.
"""

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from shotline.common.nodes import DispatchOptions


class Numbered(NamedTuple):
    """An action of the run that has a sequence number."""

    path: str
    server_class: str
    number: int


def lane_of(member: Numbered, options: DispatchOptions) -> str:
    """Return whose numbers follow each other with this one's: its class's, or "" for all's."""
    return "" if options.barrier == "global" else member.server_class


class Blockers(NamedTuple):
    """What an action's turn waits for: the unsettled actions that come before it."""

    paths: tuple[str, ...]
    synchronized: bool  # it is a number of `synchronize_at` that all classes wait for


class _Lane:
    """The numbers that follow each other: those of one class, or of all with a global barrier.

    `members` and `unsettled` are the actions by number; `at` and `began` are places in `numbers`.
    """

    __slots__ = ("at", "began", "members", "numbers", "unsettled")

    def __init__(self) -> None:
        self.members: dict[int, list[str]] = {}
        self.unsettled: dict[int, dict[str, None]] = {}
        self.numbers: list[int] = []  # ascending
        self.at = 0  # of the first that has not settled as a whole
        self.began = -1  # of the last whose turn has come


class Turns:
    """The turns of one run. Nothing has its turn before the first `advance`.

    What has had its turn is never taken back: an action that becomes unsettled again delays only
    what waits for its number, and only while that number has not settled as a whole.
    """

    def __init__(self, members: Iterable[Numbered], options: DispatchOptions) -> None:
        self._options = options
        self._synchronize_at = sorted(set(options.synchronize_at))
        self._member: dict[str, Numbered] = {}
        self._lanes: dict[str, _Lane] = {}
        # Unsettled actions between one number of `synchronize_at` and the next.
        self._stages: list[dict[str, None]] = [{} for _ in range(len(self._synchronize_at) + 1)]
        self._stage = 0  # the first that has not settled as a whole
        for member in members:
            self._member[member.path] = member
            lane = self._lanes.setdefault(lane_of(member, self._options), _Lane())
            lane.members.setdefault(member.number, []).append(member.path)
            lane.unsettled.setdefault(member.number, {})[member.path] = None
            self._stages[self._stage_of(member.number)][member.path] = None
        for lane in self._lanes.values():
            lane.numbers = sorted(lane.members)
        self._touched = dict.fromkeys(self._lanes)  # lanes that may go on

    def __contains__(self, path: str) -> bool:
        return path in self._member

    def settled(self, path: str) -> None:
        """Count an action as settled."""
        member = self._member.get(path)
        if member is None:
            return
        name = lane_of(member, self._options)
        unsettled = self._lanes[name].unsettled[member.number]
        unsettled.pop(path, None)
        if not unsettled:
            self._touched[name] = None
        self._stages[self._stage_of(member.number)].pop(path, None)

    def reopened(self, path: str) -> None:
        """Count an action as unsettled again, as far as its number or its stage is not over."""
        member = self._member.get(path)
        if member is None:
            return
        lane = self._lanes[lane_of(member, self._options)]
        if lane.at < len(lane.numbers) and member.number >= lane.numbers[lane.at]:
            lane.unsettled[member.number][path] = None
        stage = self._stage_of(member.number)
        if stage >= self._stage:
            self._stages[stage][path] = None

    def advance(self) -> list[str]:
        """Return the actions whose turn has come since the last call, each once."""
        while self._stage < len(self._stages) - 1 and not self._stages[self._stage]:
            self._stage += 1
            self._touched = dict.fromkeys(self._lanes)
        due: list[str] = []
        for name in self._touched:
            self._advance_lane(self._lanes[name], due)
        self._touched = {}
        return due

    def _advance_lane(self, lane: _Lane, due: list[str]) -> None:
        while lane.at < len(lane.numbers):
            number = lane.numbers[lane.at]
            if lane.unsettled[number]:
                if lane.began < lane.at and self._stage_of(number) <= self._stage:
                    lane.began = lane.at
                    due.extend(lane.members[number])
                return
            lane.at += 1

    def blockers(self, path: str) -> Blockers:
        """Return what must settle before this action's turn comes; nothing when it has come."""
        member = self._member[path]
        lane = self._lanes[lane_of(member, self._options)]
        if lane.at < len(lane.numbers) and lane.numbers[lane.at] < member.number:
            return Blockers(tuple(lane.unsettled[lane.numbers[lane.at]]), synchronized=False)
        if self._stage_of(member.number) > self._stage:
            return Blockers(tuple(self._stages[self._stage]), synchronized=True)
        return Blockers((), synchronized=False)

    def _stage_of(self, number: int) -> int:
        return bisect_right(self._synchronize_at, number)
