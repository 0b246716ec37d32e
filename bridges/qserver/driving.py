"""The methods that let the queue, its plan and the environment go on. Pure."""

from collections.abc import Callable

from shotline.bridges.qserver.asking import Body, Done, Effect, Heard, Question, Sorry, Step
from shotline.bridges.qserver.editing import Wanted, checked, typed
from shotline.bridges.qserver.items import item_of
from shotline.bridges.qserver.method import Context, Method, asked, done, lock_key, require, who
from shotline.common.base import Json
from shotline.common.queue import commands as q
from shotline.common.queue.plans import EntryState
from shotline.common.queue.records import EnvironmentState, PlanEnding
from shotline.common.queue.views import (
    QueueKindsResult,
    QueueState,
    QueueTasksResult,
    RefusalCode,
)

_NO_ENVIRONMENT = "RE Worker environment does not exist."
_WITH_PLAN = (QueueState.RUNNING, QueueState.PAUSING, QueueState.PAUSED, QueueState.STOPPING)


# The environment


def _open(context: Context, params: Body) -> Step:
    view = context.view
    if view.environment is EnvironmentState.OPENING:
        raise Sorry("Manager is already in the process of creating the RE Worker environment.")
    if view.environment_exists:
        raise Sorry("RE Worker environment already exists.")
    _require_idle(context)
    return asked(q.QueueEnvironment(act="open", lock_key=lock_key(params)))


def _close(context: Context, params: Body) -> Step:
    view = context.view
    if view.environment is EnvironmentState.CLOSING:
        raise Sorry("Manager is already in the process of closing the RE Worker environment.")
    if not view.environment_exists:
        raise Sorry(_NO_ENVIRONMENT)
    if view.state in _WITH_PLAN:
        raise Sorry("Queue execution is in progress.")
    if view.manager_state == "executing_task":
        raise Sorry("Foreground task execution is in progress.")
    _require_idle(context)
    return asked(q.QueueEnvironment(act="close", lock_key=lock_key(params)))


def _destroy(context: Context, params: Body) -> Step:
    view = context.view
    if not view.environment_exists and view.environment is not EnvironmentState.OPENING:
        raise Sorry("RE environment does not exist")
    return asked(q.QueueEnvironment(act="destroy", lock_key=lock_key(params)))


def _update(context: Context, params: Body) -> Step:
    if not context.view.environment_exists:
        raise Sorry("RE Worker environment is not open")
    if params.get("run_in_background") is True and context.view.state in _WITH_PLAN:
        # The workers are the plan's: only what clients may choose from is read anew.
        return asked(q.QueueKinds(), lambda told: _lists_read(context, told))
    _require_manager_idle(context)
    command = q.QueueEnvironment(act="reload", lock_key=lock_key(params))
    return asked(command, lambda _: done(task_uid=context.view.reload_begun()))


def _lists_read(context: Context, told: Heard) -> Step:
    assert isinstance(told.result, QueueKindsResult)
    context.view.kinds = {one.name: one for one in told.result.kinds}
    return done(task_uid=context.view.lists_read())


def _require_idle(context: Context) -> None:
    state = context.view.manager_state
    if state != "idle":
        raise Sorry(f"Manager state is not idle. Current state: {state}")


def _require_manager_idle(context: Context) -> None:
    state = context.view.manager_state
    if state != "idle":
        raise Sorry(f"RE Manager must be in idle state. Current state: {state}")


# The queue


def _require_startable(context: Context) -> None:
    if not context.view.environment_exists:
        raise Sorry(_NO_ENVIRONMENT)
    if context.view.manager_state != "idle":
        raise Sorry("RE Manager is busy.")


def _start(context: Context, params: Body) -> Step:
    _require_startable(context)
    key = lock_key(params)
    start = asked(q.QueueStart(lock_key=key))
    held = [one.uid for one in context.view.entries if one.state is EntryState.HELD]
    if not held or context.settings.return_to != "front":
        return start
    return asked(q.QueueRelease(uids=tuple(held), lock_key=key), lambda _: start)


def _stop(context: Context, params: Body) -> Step:
    state = context.view.manager_state
    if state not in ("executing_queue", "paused"):
        raise Sorry(f"Failed to stop the queue. Queue is not running. Manager state: {state}")
    return asked(q.QueueStop(lock_key=lock_key(params)))


def _stop_cancel(context: Context, params: Body) -> Step:
    if not context.view.fold.stop_pending:
        return done()
    return asked(q.QueueStop(cancel=True, lock_key=lock_key(params)))


def _autostart(context: Context, params: Body) -> Step:
    if "enable" not in params:
        raise Sorry("Required 'enable' parameter is missing in 'queue_autostart' API call.")
    enable = params["enable"]
    if not isinstance(enable, bool):
        text = f"Required 'enable' parameter must be boolean: type(enable)={type(enable)}."
        raise Sorry(text)
    if context.view.fold.modes.autostart is enable:
        return done()
    key = lock_key(params)
    autostart = asked(q.QueueAutostart(enable=enable, lock_key=key))
    held = [one.uid for one in context.view.entries if one.state is EntryState.HELD]
    if not enable or not held or context.settings.return_to != "front":
        return autostart
    return asked(q.QueueRelease(uids=tuple(held), lock_key=key), lambda _: autostart)


def _mode(_context: Context, params: Body) -> Step:
    if "mode" not in params:
        raise Sorry("Parameter 'mode' is not specified")
    mode = params["mode"]
    if mode == "default":
        mode = {"loop": False, "ignore_failures": False}
    if not isinstance(mode, dict):
        text = f"Queue mode is passed using object of unsupported type '{type(mode)}': {mode}"
        raise Sorry(f"{text}. Supported types: dict, 'default'")
    for name, value in mode.items():
        if name not in ("loop", "ignore_failures"):
            text = f"Unsupported plan queue mode parameter {name!r}"
            raise Sorry(f"{text}: supported parameters 'loop', 'ignore_failures'")
        if not isinstance(value, bool):
            raise Sorry(f"Unsupported type '{type(value)}' of the parameter {name!r}: a bool it is")
    if not mode:
        return done()
    return asked(q.QueueMode(**mode, lock_key=lock_key(params)))


def _execute(context: Context, params: Body) -> Step:
    wanted = Wanted(context, params)
    try:
        _require_startable(context)
    except Sorry as error:
        raise Sorry(str(error), item=wanted.claimed()) from None
    if wanted.plan.type == "stop":
        return done(item=wanted.claimed(), qsize=len(context.view.order))
    command = q.QueueExecute(
        plan=wanted.plan, user=wanted.user, group=wanted.group, lock_key=lock_key(params)
    )

    def then(told: Heard) -> Step:
        result = checked(told, wanted.plan, wanted.claimed())
        return done(item=item_of(result.entries[0]), qsize=len(context.view.order))

    return Question(command, then)


# The running plan


def _pause(context: Context, params: Body) -> Step:
    option = params.get("option", "deferred")
    if option not in ("deferred", "immediate"):
        text = f"Option {option!r} is not supported. Available options: deferred, immediate"
        raise Sorry(text)
    if not context.view.environment_exists:
        raise Sorry("Environment does not exist.")
    return asked(q.QueuePause(immediate=option == "immediate", lock_key=lock_key(params)))


def _require_paused(context: Context) -> None:
    if context.view.state is not QueueState.PAUSED:
        state = context.view.manager_state
        raise Sorry(f"RE Manager is not paused: current state is {state!r}")


def _resume(context: Context, params: Body) -> Step:
    _require_paused(context)
    running = context.view.fold.running
    key, choice = lock_key(params), context.settings.resume_aborted
    if running is None or not running.aborted or choice == "refuse":
        return asked(q.QueueResume(lock_key=key), None)
    return asked(q.QueueResume(aborted=choice, lock_key=key))


def _end(how: PlanEnding) -> Callable[[Context, Body], Step]:
    def end(context: Context, params: Body) -> Step:
        _require_paused(context)
        return asked(q.QueueEnd(how=how, lock_key=lock_key(params)))

    return end


# Functions of the configuration


def _function(context: Context, params: Body) -> Step:
    if "item" not in params:
        raise Sorry("Incorrect request format: request contains no item info", item=None)
    item = typed(params["item"], ("function",))
    try:
        user, group = who(params, context)
        name, args, kwargs = _called(item)
    except Sorry as error:
        raise Sorry(str(error), item=item) from None
    if not context.view.environment_exists:
        raise Sorry("RE Worker environment is not open", item=item)
    background = params.get("run_in_background") is True
    if not background:
        _require_manager_idle(context)
    command = q.QueueRunTask(
        function=name,
        positional=tuple(args),
        arguments=kwargs,
        background=background,
        user=user,
        group=group,
        lock_key=lock_key(params),
    )

    def then(told: Heard) -> Step:
        if told.code in (RefusalCode.NOT_ALLOWED, RefusalCode.UNKNOWN_FUNCTION):
            words = f"Function {name!r} is not allowed for users from {group!r} group"
            raise Sorry(f"{words}: {told.message}", item=item)
        require(told)
        assert isinstance(told.result, QueueTasksResult)
        uid = told.result.tasks[0].uid
        claimed = {**item, "user": user, "user_group": group, "item_uid": uid}
        return done(item=claimed, task_uid=uid)

    return Question(command, then)


def _called(item: Body) -> tuple[str, list[Json], Body]:
    name, args, kwargs = item.get("name"), item.get("args", []), item.get("kwargs", {})
    if not isinstance(name, str) or not name:
        raise Sorry(f"Function name is not specified: {item}")
    if not isinstance(args, list):
        raise Sorry(f"Parameter 'args' is not a tuple or a list: {type(args)}")
    if not isinstance(kwargs, dict):
        raise Sorry(f"Parameter 'kwargs' is not a dictionary: {type(kwargs)}")
    return name[:200], args, kwargs


def _upload(context: Context, params: Body) -> Step:
    if not context.view.environment_exists:
        raise Sorry("RE Worker environment is not open")
    if params.get("run_in_background") is not True:
        _require_manager_idle(context)
    raise Sorry("scripts are not taken: what runs is in the experiments' own files, and configured")


def _stop_manager(context: Context, params: Body) -> Step:
    option = params.get("option", "safe_on")
    if option not in ("safe_on", "safe_off"):
        raise Sorry(f"Option {option!r} is not supported. Available options: safe_on, safe_off")
    state = context.view.manager_state
    if option == "safe_on" and state not in ("idle", "initializing"):
        raise Sorry(f"Manager state is not idle. Current state: {state}")
    if option == "safe_off" and not context.settings.stop_unsafe:
        raise Sorry("safe_off is not allowed by the configuration (qserver.stop_unsafe)")
    return Done({"success": True, "msg": ""}, Effect.STOP)


def _kill_manager(context: Context, _params: Body) -> Step:
    if not context.settings.test_methods:
        raise Sorry("manager_kill is not allowed by the configuration (qserver.test_methods)")
    return Done(None, Effect.FALL_SILENT)


def never(why: str) -> Callable[[Context, Body], Step]:
    """Return the answer of a method that has no meaning for pulses."""

    def refuse(_context: Context, _params: Body) -> Step:
        raise Sorry(why)

    return refuse


_KERNEL = "there is no IPython kernel whose work could be interrupted"

METHODS = {
    "environment_open": Method(_open, (), "environment", ""),
    "environment_close": Method(_close, (), "environment", ""),
    "environment_destroy": Method(_destroy, (), "environment", ""),
    "environment_update": Method(
        _update, ("run_in_background",), "environment", blank={"task_uid": None}
    ),
    "queue_start": Method(_start, (), "environment", ""),
    "queue_stop": Method(_stop, (), "environment", ""),
    "queue_stop_cancel": Method(_stop_cancel, (), "environment"),
    "queue_autostart": Method(_autostart, ("enable",), "environment"),
    "queue_mode_set": Method(_mode, ("mode",), "queue"),
    "queue_item_execute": Method(
        _execute,
        ("item", "user", "user_group"),
        "environment",
        "Failed to start execution of the item: ",
        {"item": None, "qsize": None},
    ),
    "re_pause": Method(_pause, ("option",), "environment", ""),
    "re_resume": Method(_resume, (), "environment", ""),
    "re_stop": Method(_end(PlanEnding.STOP), (), "environment", ""),
    "re_abort": Method(_end(PlanEnding.ABORT), (), "environment", ""),
    "re_halt": Method(_end(PlanEnding.HALT), (), "environment", ""),
    "function_execute": Method(
        _function,
        ("item", "user", "user_group", "run_in_background"),
        "environment",
        blank={"item": None, "task_uid": None},
    ),
    "script_upload": Method(
        _upload,
        ("script", "update_lists", "update_re", "run_in_background"),
        "environment",
        blank={"task_uid": None},
    ),
    "kernel_interrupt": Method(never(_KERNEL), ("interrupt_task", "interrupt_plan"), "environment"),
    "manager_stop": Method(_stop_manager, ("option",)),
    "manager_kill": Method(_kill_manager),
    "manager_test": Method(never("there is nothing to test in this way"), ("test_name",)),
}
