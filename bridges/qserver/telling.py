"""The methods that only tell, and those about permissions and the history. Pure."""

from typing import Final

from shotline import __version__
from shotline.bridges.qserver.asking import Body, Heard, Question, Sorry, Step
from shotline.bridges.qserver.binding import plan_told
from shotline.bridges.qserver.items import history_item_of, item_of
from shotline.bridges.qserver.method import (
    Context,
    Method,
    asked,
    done,
    lock_key,
    require_group,
)
from shotline.bridges.qserver.permissions import groups_of, permissions_of
from shotline.common.base import Json
from shotline.common.queue import commands as q
from shotline.common.queue.records import QueueTask, TaskState
from shotline.common.queue.views import (
    QueueAllowedResult,
    QueueHistoryResult,
    QueueTasksResult,
    RefusalCode,
)

_DEVICE: Final[Body] = {
    "is_readable": True,
    "is_movable": True,
    "is_flyable": False,
    "module": "shotline",
}


def _queue(context: Context, _params: Body) -> Step:
    view = context.view
    return done(
        items=[item_of(entry) for entry in view.entries],
        running_item=item_of(view.running) if view.running is not None else {},
        plan_queue_uid=view.queue_uid,
    )


def _config(_context: Context, _params: Body) -> Step:
    return done(config={"ip_connect_info": {}})


# Plans and devices


def _group_given(context: Context, params: Body) -> str:
    group = params.get("user_group")
    if group is None:
        raise Sorry("Incorrect request format: user group is not specified")
    require_group(group, context)
    return str(group)[:64]


def _plans_allowed(context: Context, params: Body) -> Step:
    group = _group_given(context, params)

    def then(told: Heard) -> Step:
        assert isinstance(told.result, QueueAllowedResult)
        plans = {one.name: plan_told(one) for one in told.result.kinds}
        return done(plans_allowed=plans, plans_allowed_uid=context.view.allowed_uid)

    return asked(q.QueueAllowed(group=group), then)


def _devices_allowed(context: Context, params: Body) -> Step:
    group = _group_given(context, params)

    def then(told: Heard) -> Step:
        assert isinstance(told.result, QueueAllowedResult)
        found = _devices(context, told.result.experiments, told.result.classes)
        return done(devices_allowed=found, devices_allowed_uid=context.view.allowed_uid)

    return asked(q.QueueAllowed(group=group), then)


def _plans_existing(context: Context, _params: Body) -> Step:
    plans = {name: plan_told(one) for name, one in context.view.kinds.items()}
    return done(plans_existing=plans, plans_existing_uid=context.view.kinds_uid)


def _devices_existing(context: Context, _params: Body) -> Step:
    experiments = (one.kind.experiment for one in context.view.kinds.values())
    found = _devices(context, tuple(dict.fromkeys(filter(None, experiments))), ())
    return done(devices_existing=found, devices_existing_uid=context.view.kinds_uid)


def _devices(context: Context, experiments: tuple[str, ...], classes: tuple[str, ...]) -> Body:
    """Return what plans may name: what the configuration says, experiments, server classes."""
    named = [(name, "Device") for name in context.settings.devices]
    named += [(name, "Experiment") for name in experiments]
    named += [(name, "ServerClass") for name in classes]
    return {name: {"classname": kind, **_DEVICE} for name, kind in named}


# Permissions


def _permissions(context: Context, _params: Body) -> Step:
    return done(user_group_permissions=permissions_of(context.view.groups or {}))


def _set_permissions(context: Context, params: Body) -> Step:
    if "user_group_permissions" not in params:
        raise Sorry("Parameter 'user_group_permissions' is missing")
    groups = groups_of(params["user_group_permissions"])
    if context.view.fold.groups == groups:
        return done()
    return asked(_set_groups(context, params, groups))


def _reload_permissions(context: Context, params: Body) -> Step:
    if params.get("restore_permissions") is False or context.view.fold.groups is None:
        return done()
    return asked(_set_groups(context, params, None))


def _set_groups(context: Context, params: Body, groups: Json) -> q.QueueSetGroups:
    group = next(iter(groups or context.view.groups or {}), "")
    return q.QueueSetGroups(groups=groups, group=group, lock_key=lock_key(params))


# The history


def _history(context: Context, _params: Body) -> Step:
    def then(told: Heard) -> Step:
        assert isinstance(told.result, QueueHistoryResult)
        items = [history_item_of(item) for item in told.result.items]
        view, version = context.view, told.result.version
        is_now = version == view.fold.versions.history  # else they are soon fetched again
        uid = view.history_uid if is_now else f"history-{version}"
        return done(items=items, plan_history_uid=uid)

    return asked(q.QueueHistory(), then)


def _clear_history(_context: Context, params: Body) -> Step:
    size, uid = params.get("size"), params.get("item_uid")
    if size is not None and uid is not None:
        raise Sorry("Parameters 'size' and 'item_uid' are mutually exclusive.")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool)):
        raise Sorry(f"The 'size' parameter must be an integer: size={size!r}")
    if uid is not None and not isinstance(uid, str):
        raise Sorry(f"The 'item_uid' parameter must be a string: item_uid={uid!r}")
    key = lock_key(params)
    if not uid:
        keep = min(max(size or 0, 0), 2**31)
        return asked(q.QueueHideHistory(keep=keep, lock_key=key))

    def then(told: Heard) -> Step:
        if told.code is not RefusalCode.UNKNOWN_ENTRY and not told.ok:
            raise Sorry(told.message)
        return done()

    return Question(q.QueueHideHistory(until=uid[:64], lock_key=key), then)


# Runs and tasks


def _runs(context: Context, params: Body) -> Step:
    option = params.get("option", "active")
    if option not in ("active", "open", "closed"):
        text = f"Option {option!r} is not supported. Available options: active, open, closed"
        raise Sorry(text)
    runs = context.view.runs()
    if option != "active":
        runs = [one for one in runs if one["is_open"] is (option == "open")]
    return done(run_list=runs, run_list_uid=context.view.runs_uid)


def _metadata(context: Context, _params: Body) -> Step:
    running = context.view.fold.running
    if not context.view.environment_exists:
        raise Sorry("Environment does not exist. Cannot retrieve RE metadata.")
    told: Body = {"versions": {"shotline": __version__}}
    if running is not None:
        phases = running.plan.phases or ()
        phase = phases[running.phase].phase if running.run is not None and phases else ""
        told |= {"experiment": running.tree, "shot": running.shot, "phase": phase}
    return done(re_metadata=told)


def _task_status(context: Context, params: Body) -> Step:
    uids = params.get("task_uid")
    if uids is None:
        raise Sorry("Required 'task_uid' parameter is missing in the API call.")
    many = isinstance(uids, list)
    asked_for = list(dict.fromkeys(uids)) if many and all(isinstance(u, str) for u in uids) else []
    if isinstance(uids, str):
        asked_for = [uids]
    elif not many or len(asked_for) != len(set(map(str, uids))):
        raise Sorry(f"'task_uid' must be a string or a list of strings: {type(uids)}")
    status: Body = {uid: _state(context.view.task(uid)) for uid in asked_for}
    return done(task_uid=uids, status=status if many else status[uids])


def _state(task: QueueTask | None) -> str:
    if task is None:
        return "not_found"
    return "running" if task.state is TaskState.RUNNING else "completed"


def _task_result(context: Context, params: Body) -> Step:
    uid = params.get("task_uid")
    if uid is None:
        raise Sorry("Required 'task_uid' parameter is missing in the API call.")
    if not isinstance(uid, str):
        raise Sorry(f"'task_uid' must be a string: {type(uid)}")
    if uid not in context.view.fold.tasks:
        reload = context.view.reloads.get(uid)
        return done(task_uid=uid, status=_state(reload), result=_result(reload))

    def then(told: Heard) -> Step:
        assert isinstance(told.result, QueueTasksResult)
        task = next(iter(told.result.tasks), None)
        return done(task_uid=uid, status=_state(task), result=_result(task))

    return asked(q.QueueTasks(uids=(uid,)), then)


def _result(task: QueueTask | None) -> Body:
    if task is None:
        return {}
    if task.state is TaskState.RUNNING:
        return {
            "task_uid": task.uid,
            "start_time": task.began_at,
            "run_in_background": task.background,
        }
    return {
        "task_uid": task.uid,
        "success": task.state is TaskState.COMPLETED,
        "msg": task.message,
        "traceback": task.message if task.state is TaskState.FAILED else "",
        "return_value": task.value,
        "time_start": task.began_at,
        "time_stop": task.ended_at,
    }


METHODS = {
    "queue_get": Method(_queue, blank={"items": [], "running_item": {}, "plan_queue_uid": None}),
    "config_get": Method(_config, blank={"config": {}}),
    "plans_allowed": Method(
        _plans_allowed, ("user_group",), blank={"plans_allowed": {}, "plans_allowed_uid": None}
    ),
    "devices_allowed": Method(
        _devices_allowed,
        ("user_group",),
        blank={"devices_allowed": {}, "devices_allowed_uid": None},
    ),
    "plans_existing": Method(
        _plans_existing, blank={"plans_existing": {}, "plans_existing_uid": None}
    ),
    "devices_existing": Method(
        _devices_existing, blank={"devices_existing": {}, "devices_existing_uid": None}
    ),
    "permissions_get": Method(_permissions, blank={"user_group_permissions": {}}),
    "permissions_set": Method(_set_permissions, ("user_group_permissions",), "queue"),
    "permissions_reload": Method(
        _reload_permissions, ("restore_plans_devices", "restore_permissions"), "queue"
    ),
    "history_get": Method(_history, blank={"items": [], "plan_history_uid": None}),
    "history_clear": Method(_clear_history, ("size", "item_uid"), "queue"),
    "re_runs": Method(_runs, ("option",), blank={"run_list": [], "run_list_uid": None}),
    "re_metadata": Method(_metadata, blank={"re_metadata": {}}),
    "task_status": Method(_task_status, ("task_uid",), blank={"task_uid": None, "status": None}),
    "task_result": Method(
        _task_result, ("task_uid",), blank={"task_uid": None, "status": None, "result": None}
    ),
}
