"""Items of the queue server's queue and history, made of our entries, and plans of them. Pure.

What a client has given (args, kwargs, meta) is kept with the plan as it came, so that it comes back
unchanged; what the plan's kind calls its parameters is made of it when it is added.
"""

from collections.abc import Mapping
from typing import Final

from shotline.bridges.qserver.asking import Body, Sorry
from shotline.bridges.qserver.binding import bound
from shotline.common.queue.kinds import KindView
from shotline.common.queue.plans import Entry, ExitStatus, HistoryItem, PlanResult, PulsePlan

OURS: Final = "qserver"  # under this name a plan's meta has what the client gave
STOP: Final = "queue_stop"
TYPES: Final = ("plan", "instruction")
_KEPT: Final = ("args", "kwargs", "meta")
_WORDED: Final = (ExitStatus.FAILED, ExitStatus.UNKNOWN)


def plan_of(item: Body, kinds: Mapping[str, KindView]) -> PulsePlan:
    """Return the plan that an item asks for. Raise Sorry."""
    name = item.get("name")
    if not isinstance(name, str) or not name:
        raise Sorry("Plan validation failed: the name of the item is not specified")
    if item["item_type"] == "instruction":
        if name != STOP:
            raise Sorry(f"Unrecognized instruction: {item}")
        return PulsePlan(type="stop", meta={OURS: _kept(item)})
    args, kwargs = item.get("args", []), item.get("kwargs", {})
    if not isinstance(args, list | tuple):
        raise Sorry(f"Plan validation failed: args must be a list, not {type(args)}")
    if not isinstance(kwargs, dict):
        raise Sorry(f"Plan validation failed: kwargs must be an object, not {type(kwargs)}")
    kind = kinds.get(name)
    if kind is None:
        raise Sorry(f"Plan {name!r} is not in the list of allowed plans")
    meta = item.get("meta", {})
    if not isinstance(meta, dict | list):
        raise Sorry(f"Plan validation failed: meta must be an object or a list, not {type(meta)}")
    return PulsePlan(
        kind=name, parameters=bound(kind, list(args), kwargs), meta={OURS: _kept(item)}
    )


def _kept(item: Body) -> Body:
    return {name: item[name] for name in _KEPT if name in item}


def item_of(entry: Entry) -> Body:
    """Return an entry as clients know it."""
    plan = entry.plan
    item: Body = {"item_type": "plan", "name": plan.kind or plan.experiment or ""}
    if plan.type == "stop":
        item = {"item_type": "instruction", "name": STOP}
    kept = plan.meta.get(OURS)
    if isinstance(kept, dict):
        item |= kept
    elif plan.type != "stop":
        item["kwargs"] = dict(plan.parameters)
    user = entry.changed_by or entry.user
    item |= {"user": user, "user_group": entry.group, "item_uid": entry.uid}
    if entry.result is not None:
        item["result"] = result_of(entry.result)
    return item


def history_item_of(item: HistoryItem) -> Body:
    """Return an ended entry as clients know it."""
    return {**item_of(item.entry), "result": result_of(item.result)}


def result_of(result: PlanResult) -> Body:
    """Return what became of a plan as clients know it."""
    return {
        "exit_status": result.exit_status.value,
        "run_uids": [run_uid(one.tree, one.shot, one.run) for one in result.runs],
        "scan_ids": [one.shot for one in result.runs],
        "time_start": float(result.began_at),
        "time_stop": float(result.ended_at),
        "msg": result.message if result.exit_status in _WORDED else "",
        "traceback": "",
    }


def run_uid(tree: str, shot: int, run: int) -> str:
    """Return what clients know a run by."""
    return f"{tree}/{shot}/{run}"
