"""Two shots side by side: action by action, what is not the same. Pure."""

from typing import Final

from msgspec import structs

from shotline.common.actions import has_failed
from shotline.common.nodes import ActionNode
from shotline.common.past.commands import Compare
from shotline.common.records import Transition
from shotline.common.views import ComparedAction, ComparedSide, CompareResult, ShotView
from shotline.dispatcher.reading.paging import Page, page
from shotline.dispatcher.shots import Shot

RATIO: Final = 0.2
"""A duration is another one when it differs by this part of the first, and by LEAST_S."""

LEAST_S: Final = 0.5


class Comparison:
    """All actions of two shots, in the first one's order; behind them what only the second has."""

    def __init__(self, left: Shot, right: Shot) -> None:
        paths = dict.fromkeys((*left.actions, *right.actions))
        self.actions = tuple(_compared(left, right, path) for path in paths)
        self.totals = dict.fromkeys(("same", "differ", "added", "removed", "newly_failed"), 0)
        for one in self.actions:
            self.totals[_kind(one)] += 1
            newly = one.right is not None and one.right.failed
            self.totals["newly_failed"] += newly and not (one.left is not None and one.left.failed)

    def page(self, asked: Compare, bytes_max: int, heads: tuple[ShotView, ShotView] | None) -> Page:
        """Return a page of them."""
        wanted = (
            (number, one)
            for number, one in enumerate(self.actions)
            if number >= asked.since and not (asked.differing and _kind(one) == "same")
        )
        left, right = heads or (None, None)
        totals = self.totals if heads else {}
        return page(
            wanted,
            bytes_max,
            lambda next_: CompareResult(left=left, right=right, totals=totals, next=next_),
        )


def _kind(one: ComparedAction) -> str:
    if one.left is None:
        return "added"
    if one.right is None:
        return "removed"
    return "differ" if one.differs else "same"


def _compared(left: Shot, right: Shot, path: str) -> ComparedAction:
    shot = right if path in right.actions else left
    node = shot.table.node(path)
    before, after = left.actions.get(path), right.actions.get(path)
    change = None
    first, second = (None if one is None else one.duration_s for one in (before, after))
    if first is not None and second is not None:
        change = round(second - first, 6)
    return ComparedAction(
        path=path,
        name=node.name,
        phase=node.phase,
        left=None if before is None else _side(left, before),
        right=None if after is None else _side(right, after),
        differs=()
        if before is None or after is None
        else tuple(_differs(before, after, left.table.node(path), right.table.node(path))),  # type: ignore[arg-type]
        change_s=change,
    )


def _side(shot: Shot, live: Transition) -> ComparedSide:
    return ComparedSide(
        state=live.state,
        status=live.status,
        cause=live.cause,
        failed=shot.failed(live.path),
        reason=live.reason,
        server=live.server,
        attempt=live.attempt,
        duration_s=live.duration_s,
    )


def _differs(
    before: Transition, after: Transition, declared: ActionNode, now: ActionNode
) -> list[str]:
    found = []
    if (before.state, before.status, before.cause) != (after.state, after.status, after.cause):
        found.append("outcome")
    first, second = before.duration_s, after.duration_s
    timed = first is not None and second is not None
    if timed and abs((second or 0.0) - (first or 0.0)) > max(RATIO * (first or 0.0), LEAST_S):
        found.append("duration")
    failed = has_failed(before.state, before.status) or has_failed(after.state, after.status)
    if failed and before.reason != after.reason:
        found.append("reason")
    # Where a pulse lies, and as which node, is no declaration.
    if structs.replace(declared, folder=now.folder, nid=now.nid) != now:
        found.append("declaration")
    return found
