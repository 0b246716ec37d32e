"""The methods that change the queue's list. Pure."""

from collections.abc import Sequence
from typing import Final

from shotline.bridges.qserver import places
from shotline.bridges.qserver.asking import Body, Done, Heard, Question, Sorry, Step
from shotline.bridges.qserver.items import TYPES, item_of, plan_of
from shotline.bridges.qserver.method import Context, Method, asked, done, lock_key, require, who
from shotline.common.base import Json
from shotline.common.queue import commands as q
from shotline.common.queue.plans import PulsePlan
from shotline.common.queue.views import QueueEntriesResult, RefusalCode

ITEM_S: Final = 0.002  # each item of a batch takes the queue server so long, about
_PLACE = ("pos", "before_uid", "after_uid")
_WHO = ("user", "user_group")


def item_given(params: Body) -> Body:
    """Return the item of a request. Raise Sorry where it is none."""
    if "item" not in params:
        raise Sorry("Incorrect request format: request contains no item info", item=None)
    return typed(params["item"])


def typed(item: Json, types: Sequence[str] = TYPES) -> Body:
    """Return an item of one of these types. Raise Sorry where it is none."""
    prefix = "Incorrect request format:"
    if not isinstance(item, dict):
        text = f"{prefix} incorrect type ({type(item)}) of item parameter"
        raise Sorry(f"{text}: item parameter must have type 'dict'", item=item)
    kind = item.get("item_type")
    if kind is None:
        raise Sorry(f"{prefix} 'item_type' key is not found", item=item)
    if kind not in types:
        text = f"{prefix} unsupported 'item_type' value: {kind!r}, supported: {', '.join(types)}"
        raise Sorry(text, item=item)
    return item


class Wanted:
    """An item that somebody wants to add, update or execute."""

    def __init__(self, context: Context, params: Body) -> None:
        self.item = item_given(params)
        self.user, self.group = "", ""
        try:
            self.user, self.group = who(params, context)
            self.plan = plan_of(self.item, context.view.kinds)
        except Sorry as error:
            raise Sorry(str(error), item=self.item) from None

    def claimed(self) -> Body:
        """Return the item as the reply to a refusal has it."""
        uid = self.item.get("item_uid", "")
        return {**self.item, "user": self.user, "user_group": self.group, "item_uid": uid}


def checked(told: Heard, plan: PulsePlan, item: Body) -> QueueEntriesResult:
    """Return what came of a plan. Raise Sorry in the words that clients look for."""
    try:
        if told.code in (RefusalCode.NOT_ALLOWED, RefusalCode.UNKNOWN_KIND):
            words = f"Plan {plan.kind!r} is not in the list of allowed plans"
            raise Sorry(f"{words}: {told.message}")
        require(told)
    except Sorry as error:
        raise Sorry(str(error), item=item) from None
    assert isinstance(told.result, QueueEntriesResult)
    return told.result


def _add(context: Context, params: Body) -> Step:
    wanted = Wanted(context, params)
    try:
        place = places.place_to_add(params, context.view)
    except Sorry as error:
        raise Sorry(str(error), item=wanted.claimed()) from None
    command = q.QueueAdd(
        plans=(wanted.plan,),
        user=wanted.user,
        group=wanted.group,
        lock_key=lock_key(params),
        **place,
    )

    def then(told: Heard) -> Step:
        result = checked(told, wanted.plan, wanted.claimed())
        return done(item=item_of(result.entries[0]), qsize=result.total)

    return Question(command, then)


def _update(context: Context, params: Body) -> Step:
    wanted = Wanted(context, params)
    uid = wanted.item.get("item_uid")
    running = context.view.running
    if running is not None and uid == running.uid:
        text = f"Failed to replace item: Item with UID {uid!r} is currently running"
        raise Sorry(text, item=wanted.item)
    if uid not in context.view.order:
        text = f"Failed to replace item: Item with UID {uid!r} is not in the queue"
        raise Sorry(text, item=wanted.item)
    command = q.QueueUpdate(
        uid=uid,
        plan=wanted.plan,
        replace=params.get("replace") is True,
        user=wanted.user,
        group=wanted.group,
        lock_key=lock_key(params),
    )

    def then(told: Heard) -> Step:
        result = checked(told, wanted.plan, wanted.item)
        return done(item=item_of(result.entries[0]), qsize=result.total)

    return Question(command, then)


def _add_batch(context: Context, params: Body) -> Step:
    items = params.get("items")
    if not isinstance(items, list):
        text = "Invalid request format: request contains no list of items: the parameter 'items'"
        raise Sorry(text)
    user, group = _who_of_batch(context, params, items)
    plans: list[PulsePlan] = []
    results: list[Body] = []
    for item in items:
        try:
            plans.append(plan_of(typed(item), context.view.kinds))
        except Sorry as error:
            results.append({"success": False, "msg": str(error)})
        else:
            results.append({"success": True, "msg": ""})
    place: Body = {}
    try:
        place = places.place_to_add(params, context.view)
    except Sorry as error:
        results = [{"success": False, "msg": str(error)} for _ in items]
    if not all(one["success"] for one in results):
        return _batch_refused(context, items, results)
    if not items:
        return done(items=[], results=[], qsize=len(context.view.order))
    command = q.QueueAdd(
        plans=tuple(plans), user=user, group=group, lock_key=lock_key(params), **place
    )

    def then(told: Heard) -> Step:
        refused = told.refused
        if refused is not None and refused.answers:
            answers = [{"success": one.ok, "msg": one.message} for one in refused.answers]
            return _batch_refused(context, items, answers)
        require(told)
        assert isinstance(told.result, QueueEntriesResult)
        added = [item_of(entry) for entry in told.result.entries]
        return done(items=added, results=results, qsize=told.result.total)

    return Question(command, then, longer_s=len(items) * ITEM_S)


def _who_of_batch(context: Context, params: Body, items: list[Json]) -> tuple[str, str]:
    try:
        return who(params, context)
    except Sorry as error:
        raise Sorry(str(error), items=items, qsize=len(context.view.order)) from None


def _batch_refused(context: Context, items: list[Json], results: list[Body]) -> Done:
    failed = sum(not one["success"] for one in results)
    text = f"validation of {failed} out of {len(items)} submitted items failed"
    return Done(
        {
            "success": False,
            "msg": f"Failed to add all items: {text}",
            "items": items,
            "results": results,
            "qsize": len(context.view.order),
        }
    )


def uid_meant(
    context: Context, params: Body, running: str, missing: str, position: str = "pos"
) -> str:
    """Return the uid that a request means, by uid or position; else the last. Raise Sorry."""
    view, uid, pos = context.view, params.get("uid"), params.get(position)
    if uid is not None and pos is not None:
        raise Sorry("Ambiguous parameters: plan position and UID is specified")
    if uid is not None:
        if view.running is not None and uid == view.running.uid:
            raise Sorry(running)
        if uid not in view.order:
            raise Sorry(f"{missing} with UID {uid!r} is not in the queue.")
        return str(uid)
    if not view.order:
        raise Sorry("Queue is empty")
    index = places.index_of("back" if pos is None else pos, len(view.order))
    if index is None:
        raise Sorry(f"Index is out of range or incorrect (parameter pos = {pos!r})")
    return view.order[index]


def _get(context: Context, params: Body) -> Step:
    running = f"The item with UID {params.get('uid')!r} is currently running."
    uid = uid_meant(context, params, running, "Item")
    return done(item=item_of(context.view.fold.entries[uid]))


def _remove(context: Context, params: Body) -> Step:
    uid = uid_meant(context, params, "Can not remove an item which is currently running.", "Plan")
    command = q.QueueRemove(uids=(uid,), lock_key=lock_key(params))

    def then(told: Heard) -> Step:
        assert isinstance(told.result, QueueEntriesResult)
        return done(item=item_of(told.result.entries[0]), qsize=told.result.total)

    return asked(command, then)


def _uids(params: Body) -> list[str]:
    uids = params.get("uids")
    if uids is None:
        raise Sorry("Invalid request format: Request does not contain the list of UIDs")
    if not isinstance(uids, list) or not all(isinstance(uid, str) for uid in uids):
        raise Sorry(f"Parameter 'uids' must be a list: type(uids) = {type(uids)}")
    return uids


def _require_all(context: Context, uids: list[str]) -> None:
    """Raise Sorry where uids are there twice, or not in the queue."""
    repeated = len(uids) - len(set(uids))
    if repeated:
        raise Sorry(f"The list of contains repeated UIDs ({repeated} UIDs)")
    there = set(context.view.order)
    missing = [uid for uid in uids if uid not in there]
    if missing:
        text = f"The queue does not contain items with the following UIDs: {missing}"
        raise Sorry(text)


def _remove_batch(context: Context, params: Body) -> Step:
    uids = _uids(params)
    if params.get("ignore_missing", True):
        there = set(context.view.order)
        uids = [uid for uid in dict.fromkeys(uids) if uid in there]
    else:
        _require_all(context, uids)
    if not uids:
        return done(items=[], qsize=len(context.view.order))
    command = q.QueueRemove(uids=tuple(uids), lock_key=lock_key(params))
    return asked(command, _entries_told)


def _entries_told(told: Heard) -> Done:
    assert isinstance(told.result, QueueEntriesResult)
    return done(items=list(map(item_of, told.result.entries)), qsize=told.result.total)


def _move(context: Context, params: Body) -> Step:
    view = context.view
    source, uid, dest = params.get("pos"), params.get("uid"), params.get("pos_dest")
    before, after = params.get("before_uid"), params.get("after_uid")
    _require_move(params)
    index = places.index_of(source, len(view.order))
    if uid is None and index is None:
        raise Sorry(f"Source plan (position {source}) was not found.")
    if uid is not None and uid not in view.order:
        raise Sorry(f"Source plan (UID {uid!r}) was not found.")
    moved = uid if uid is not None else view.order[index or 0]
    beside = before if before is not None else after
    to: int | None = None
    if beside is None:
        to = places.index_of(dest, len(view.order))
        if to is None:
            raise Sorry(f"Destination plan (position {dest}) was not found.")
    elif beside not in view.order:
        raise Sorry(f"Destination plan (UID {beside!r}) was not found.")
    same = done(item=item_of(view.fold.entries[moved]), qsize=len(view.order))
    if beside == moved or places.order_after_move(view.order, (moved,), params, to) == view.order:
        return same
    command = q.QueueMove(
        uids=(moved,), position=to, before=before, after=after, lock_key=lock_key(params)
    )
    return asked(command, lambda _: same)


def _require_move(params: Body) -> None:
    """Raise Sorry where a move does not say from where to where."""
    names = {name for name, value in params.items() if value is not None}
    if not names & {"pos", "uid"}:
        raise Sorry("Source position or UID is not specified.")
    if not names & {"pos_dest", "before_uid", "after_uid"}:
        raise Sorry("Destination position or UID is not specified.")
    if {"pos", "uid"} <= names:
        raise Sorry("Ambiguous parameters: position and UID of the source are specified.")
    if "pos_dest" in names and names & {"before_uid", "after_uid"}:
        raise Sorry("Ambiguous parameters: position and UID of the destination are specified.")
    if {"before_uid", "after_uid"} <= names:
        raise Sorry("Ambiguous parameters: 'before_uid' and 'after_uid' are specified.")


def _move_batch(context: Context, params: Body) -> Step:
    view, uids = context.view, _uids(params)
    dest, before, after = (params.get(one) for one in ("pos_dest", "before_uid", "after_uid"))
    named = sum(one is not None for one in (dest, before, after))
    if not named:
        raise Sorry("Destination for the batch is not specified: use 'pos_dest', 'before_uid' …")
    if named > 1:
        text = "The request contains more than one mutually exclusive parameter"
        raise Sorry(f"{text} ('pos_dest', 'before_uid', 'after_uid')")
    if dest is not None and dest not in ("front", "back"):
        raise Sorry(f"Parameter 'pos_dest' must be 'front' or 'back', not {dest!r}")
    _require_all(context, uids)
    for name, beside in (("before_uid", before), ("after_uid", after)):
        if beside is None:
            continue
        if beside in uids:
            raise Sorry(f"Parameter {name!r}: item with UID {beside!r} is in the batch")
        if beside not in view.order:
            raise Sorry(f"Parameter {name!r}: item with UID {beside!r} is not in the queue")
    if params.get("reorder"):
        wanted = set(uids)
        uids = [uid for uid in view.order if uid in wanted]
    items = [item_of(view.fold.entries[uid]) for uid in uids]
    same = done(items=items, qsize=len(view.order))
    to = 0 if dest == "front" else len(view.order) - len(uids)
    if not uids or places.order_after_move(view.order, uids, params, to) == view.order:
        return same
    command = q.QueueMove(
        uids=tuple(uids), position=dest, before=before, after=after, lock_key=lock_key(params)
    )
    return asked(command, lambda _: same)


def _clear(_context: Context, params: Body) -> Step:
    return asked(q.QueueClear(lock_key=lock_key(params)))


METHODS = {
    "queue_item_add": Method(
        _add,
        ("item", *_WHO, *_PLACE),
        "queue",
        "Failed to add an item: ",
        {"item": None, "qsize": None},
    ),
    "queue_item_add_batch": Method(
        _add_batch,
        ("items", *_WHO, *_PLACE),
        "queue",
        "Failed to add an item: ",
        {"items": [], "results": [], "qsize": None},
    ),
    "queue_item_update": Method(
        _update,
        ("item", *_WHO, "replace"),
        "queue",
        "Failed to add an item: ",
        {"item": None, "qsize": None},
    ),
    "queue_item_get": Method(_get, ("pos", "uid"), "", "Failed to get an item: ", {"item": {}}),
    "queue_item_remove": Method(
        _remove,
        ("pos", "uid"),
        "queue",
        "Failed to remove an item: ",
        {"item": {}, "qsize": None},
    ),
    "queue_item_remove_batch": Method(
        _remove_batch,
        ("uids", "ignore_missing"),
        "queue",
        "Failed to remove a batch of items: ",
        {"items": [], "qsize": None},
    ),
    "queue_item_move": Method(
        _move,
        ("pos", "uid", "pos_dest", "before_uid", "after_uid"),
        "queue",
        "Failed to move the item: ",
        {"item": {}, "qsize": None},
    ),
    "queue_item_move_batch": Method(
        _move_batch,
        ("uids", "pos_dest", "before_uid", "after_uid", "reorder"),
        "queue",
        "Failed to move the batch of items: ",
        {"items": [], "qsize": None},
    ),
    "queue_clear": Method(_clear, (), "queue"),
}
