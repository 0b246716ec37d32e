"""Positions in the queue: where something goes, and which entry is meant. Pure."""

from shotline.common.queue.commands import Placing, Position
from shotline.common.queue.views import RefusalCode
from shotline.pulse_queue.core import QueueCore
from shotline.pulse_queue.refusal import QueueRefusal


def place_to_add(core: QueueCore, command: Placing) -> int:
    """Return the index before which new entries go; positions beyond the ends are clamped."""
    _refuse_several(command)
    order = core.fold.order
    beside = _place_beside(core, command, order)
    if beside is not None:
        return beside
    match command.position:
        case None | "back":
            return len(order)
        case "front":
            return 0
        case int(number):
            return min(number, len(order)) if number >= 0 else max(len(order) + number, 0)


def place_to_move(core: QueueCore, command: Placing, rest: list[str]) -> int:
    """Return the index in the list without the moved entries; a position is where they end up."""
    _refuse_several(command)
    beside = _place_beside(core, command, rest)
    if beside is not None:
        return beside
    match command.position:
        case None:
            text = "say where to: a position, or before or after which entry"
            raise QueueRefusal(RefusalCode.BAD_POSITION, text)
        case "back":
            return len(rest)
        case "front":
            return 0
        case int(number):
            return min(number, len(rest)) if number >= 0 else max(len(rest) + 1 + number, 0)


def _refuse_several(command: Placing) -> None:
    named = (command.position, command.before, command.after)
    if sum(one is not None for one in named) > 1:
        text = "name a position, or the entry before or after which, not several of them"
        raise QueueRefusal(RefusalCode.BAD_POSITION, text)


def _place_beside(core: QueueCore, command: Placing, order: list[str]) -> int | None:
    uid = command.before or command.after
    if uid is None:
        return None
    running = core.fold.running
    if running is not None and running.entry.uid == uid:
        if command.after is not None:
            return 0
        text = f"entry {uid} is running: nothing goes before it"
        raise QueueRefusal(RefusalCode.RUNNING_ENTRY, text)
    if uid not in order:
        raise unknown(core, uid)
    return order.index(uid) + (command.after is not None)


def unknown(core: QueueCore, uid: str) -> QueueRefusal:
    """Return the refusal of a uid that names no entry of the queue."""
    running = core.fold.running
    if running is not None and running.entry.uid == uid:
        return QueueRefusal(RefusalCode.RUNNING_ENTRY, f"entry {uid} is running")
    if uid in core.fold.proposals:
        text = f"entry {uid} is a proposal: approve it first"
        return QueueRefusal(RefusalCode.UNKNOWN_ENTRY, text)
    return QueueRefusal(RefusalCode.UNKNOWN_ENTRY, f"there is no entry {uid} in the queue")


def uid_at(core: QueueCore, position: Position | None) -> str:
    """Return the uid of the entry at a position; None: the last one. Raise QueueRefusal."""
    order = core.fold.order
    index = position if isinstance(position, int) else 0 if position == "front" else -1
    if not -len(order) <= index < len(order):
        what = "the queue is empty" if not order else f"the queue has {len(order)} entries"
        raise QueueRefusal(RefusalCode.BAD_POSITION, f"there is no entry at {position}: {what}")
    return order[index]
