"""Positions in the queue as clients name them. Pure."""

from collections.abc import Sequence

from shotline.bridges.qserver.asking import Body, Sorry
from shotline.bridges.qserver.view import View
from shotline.common.base import Json

_NAMED = ("front", "back")


def beside(params: Body) -> tuple[str | None, str | None]:
    """Return before or after which uid something goes. Raise Sorry."""
    before, after = params.get("before_uid"), params.get("after_uid")
    if before is not None and after is not None:
        raise Sorry("Ambiguous parameters: request contains 'before_uid' and 'after_uid'")
    return before, after


def place_to_add(params: Body, view: View) -> Body:
    """Return the fields of a command that adds something. Raise Sorry."""
    pos = params.get("pos")
    before, after = beside(params)
    uid = before if before is not None else after
    if pos is not None and uid is not None:
        raise Sorry("Ambiguous parameters: plan position and UID is specified")
    if uid is not None:
        running = view.running
        if running is not None and uid == running.uid:
            if before is not None:
                text = "Can not insert a plan in the queue before a currently running plan."
                raise Sorry(text)
            return {"position": "front"}
        if uid not in view.order:
            raise Sorry(f"Plan with UID {uid!r} is not in the queue.")
        return {"before": before, "after": after}
    if pos is None or pos in _NAMED:
        return {"position": pos}
    if is_number(pos):
        # To them -1 is the back, to us it is before the last one.
        return {"position": pos if pos >= 0 else "back" if pos == -1 else pos + 1}
    raise Sorry(f"Parameter 'pos' has incorrect value: pos={str(pos)!r} (type={type(pos)})")


def is_number(value: Json) -> bool:
    """Return whether a value is a position."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31


def index_of(pos: Json, count: int) -> int | None:
    """Return the index from 0 that a position means in a list of so many; None: it has none."""
    if pos == "front":
        pos = 0
    elif pos == "back":
        pos = -1
    if not is_number(pos) or not -count <= pos < count:
        return None
    return int(pos % count)


def order_after_move(
    order: Sequence[str], uids: Sequence[str], params: Body, index: int | None = None
) -> list[str]:
    """Return the queue after a move to `index` of the list without them, or beside an entry."""
    moved = set(uids)
    rest = [uid for uid in order if uid not in moved]
    before, after = params.get("before_uid"), params.get("after_uid")
    if before is not None:
        index = rest.index(before)
    elif after is not None:
        index = rest.index(after) + 1
    assert index is not None
    return [*rest[:index], *uids, *rest[index:]]
