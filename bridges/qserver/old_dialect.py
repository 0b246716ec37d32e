"""The dialect of version 0.0.1: other names for plans and uids, one group for all. Pure."""

from typing import Final

from shotline.bridges.qserver.asking import Body, Done, Question, Step
from shotline.bridges.qserver.machine import Machine
from shotline.bridges.qserver.places import is_number
from shotline.bridges.qserver.view import View
from shotline.bridges.qserver.wire import QueueRequest
from shotline.common.base import Json

_PLANS: Final = {
    "queue_plan_add": "queue_item_add",
    "queue_plan_get": "queue_item_get",
    "queue_plan_remove": "queue_item_remove",
}
_GROUP: Final = "primary"  # of its clients, who all call themselves root
_WITH_OPTION: Final = frozenset(("re_pause", "manager_stop"))
_STATUS: Final = (
    "msg",
    "manager_state",
    "queue_stop_pending",
    "worker_environment_exists",
)


class OldDialect:
    """Answers requests of clients of version 0.0.1 by what the machine answers."""

    def __init__(self, machine: Machine, view: View) -> None:
        self._machine = machine
        self._view = view

    def answer(self, request: QueueRequest, now: float) -> Step:
        """Return the answer to a request, or the command that leads to it."""
        if request.method in ("", "ping", "status"):
            return Done(self._status(now))
        return _translated(self._machine.answer(_today(request)))

    def _status(self, now: float) -> Body:
        status = self._view.status(now)
        return {name: status[name] for name in _STATUS} | {
            "plans_in_queue": status["items_in_queue"],
            "plans_in_history": status["items_in_history"],
            "running_plan_uid": status["running_item_uid"],
        }


def _today(request: QueueRequest) -> QueueRequest:
    """Return a request as it is made today."""
    params = dict(request.params)
    method = _PLANS.get(request.method, request.method)
    if method not in _WITH_OPTION:
        params.pop("option", None)
    if "user_group" in params:
        params["user_group"] = _GROUP
    if request.method == "queue_plan_add":
        plan = params.pop("plan", None)
        params["item"] = {"item_type": "plan", **plan} if isinstance(plan, dict) else plan
        pos: Json = params.get("pos")
        if is_number(pos) and pos is not None and pos < 0:
            params["pos"] = pos - 1  # to them -1 was before the last one
    elif method in ("plans_allowed", "devices_allowed"):
        params["user_group"] = _GROUP
    elif request.method == "test_manager_kill":
        method = "manager_kill"
    return QueueRequest(method, params)


def _translated(step: Step) -> Step:
    if isinstance(step, Question):
        then = step.then
        return Question(step.command, lambda told: _translated(then(told)))
    return step if step.body is None else Done(_old(step.body), step.effect)


def _old(body: Body) -> Body:
    """Return a reply with the names of then."""
    names = {"item": "plan", "items": "plans", "running_item": "running_plan"}
    return {names.get(name, name): _plans(value) for name, value in body.items()}


def _plans(value: Json) -> Json:
    if isinstance(value, list):
        return [_plans(one) for one in value]
    if isinstance(value, dict) and "item_uid" in value:
        named = {name: one for name, one in value.items() if name != "item_type"}
        return {"plan_uid": named.pop("item_uid"), **named}
    return value
