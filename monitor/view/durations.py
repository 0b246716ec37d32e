"""How long each action usually takes: the durations of its last successful attempts. Pure."""

from collections.abc import Iterable
from statistics import median

from shotline.common.actions import Status
from shotline.common.records import ShotKey, Transition


class Durations:
    """One duration per action and shot, of the last shots of each tree."""

    def __init__(self, shots: int) -> None:
        self._shots = shots
        self._taken: dict[tuple[str, str], dict[int, float]] = {}
        self._medians: dict[tuple[str, str], tuple[int, float | None]] = {}  # for which shot

    def note(self, key: ShotKey, live: Transition) -> bool:
        """Take an action's state; return whether it tells of a duration that is new."""
        if live.status is not Status.SUCCESS or live.duration_s is None:
            return False
        taken = self._taken.setdefault((key.tree, live.path), {})
        if taken.get(key.shot) == live.duration_s:
            return False
        self._medians.pop((key.tree, live.path), None)
        taken.pop(key.shot, None)
        taken[key.shot] = live.duration_s
        # One more than asked for: the shot that is looked at does not count itself.
        while len(taken) > self._shots + 1:
            del taken[min(taken)]
        return True

    def median(self, key: ShotKey, path: str) -> float | None:
        """Return an action's usual duration in seconds, judged by shots other than this one."""
        name = (key.tree, path)
        taken = self._taken.get(name)
        if taken is None:
            return None
        known = self._medians.get(name)
        if known is None or known[0] != key.shot:
            others = [duration for shot, duration in taken.items() if shot != key.shot]
            known = (key.shot, median(others[-self._shots :]) if others else None)
            self._medians[name] = known
        return known[1]

    def medians(self, key: ShotKey, paths: Iterable[str]) -> dict[str, float]:
        """Return the usual durations that are known."""
        found = ((path, self.median(key, path)) for path in paths)
        return {path: round(usual, 6) for path, usual in found if usual is not None}
