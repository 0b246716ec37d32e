"""The commands as methods, for a blocking and for an asynchronous supervisor.

Both are made of the functions in `verbs` and the other modules of verbs; how a call reaches the
dispatcher is the subclasses'.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Concatenate, ParamSpec, TypeVar

from shotline.client.calls import Call
from shotline.client.verbs import (
    alarm_verbs,
    fleet_verbs,
    past_verbs,
    queue_verbs,
    records_verbs,
    shot_verbs,
)

P = ParamSpec("P")
T = TypeVar("T")


class _Documented:
    """What `inspect`, and so IPython, is told of a method: a verb's arguments behind `self`.

    It is looked at only by people; made at once for all methods it would delay each start.
    """

    def __init__(self, verb: Callable[..., object]) -> None:
        self._verb = verb

    @property
    def __signature__(self) -> Signature:
        found = signature(self._verb)
        own = Parameter("self", Parameter.POSITIONAL_ONLY)
        (result,) = getattr(found.return_annotation, "__args__", (Signature.empty,))
        return found.replace(parameters=(own, *found.parameters.values()), return_annotation=result)


def _blocking(verb: Callable[P, Call[T]]) -> "Callable[Concatenate[Commands, P], T]":
    @wraps(verb)
    def method(self: "Commands", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.ask(verb(*args, **kwargs))

    method.__wrapped__ = _Documented(verb)  # type: ignore[assignment]  # what `wraps` has set
    return method


def _awaiting(
    verb: Callable[P, Call[T]],
) -> "Callable[Concatenate[AsyncCommands, P], Coroutine[None, None, T]]":
    @wraps(verb)
    async def method(self: "AsyncCommands", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.ask(verb(*args, **kwargs))

    method.__wrapped__ = _Documented(verb)  # type: ignore[assignment]  # what `wraps` has set
    return method


class Commands(ABC):
    """All commands; each returns when it was carried out, or raises a SupervisorError."""

    @abstractmethod
    def ask(self, call: Call[T], timeout_s: float | None = None) -> T:
        """Carry out a call; `timeout_s` None means the default of its kind."""

    create_pulse = _blocking(shot_verbs.create_pulse)
    build_tables = _blocking(shot_verbs.build_tables)
    do_phase = _blocking(shot_verbs.do_phase)
    do_sequence = _blocking(shot_verbs.do_sequence)
    dispatch = _blocking(shot_verbs.dispatch)
    abort = _blocking(shot_verbs.abort)
    abort_pending = _blocking(shot_verbs.abort_pending)
    hold = _blocking(shot_verbs.hold)
    resume = _blocking(shot_verbs.resume)
    wait = _blocking(shot_verbs.wait)
    server_restart = _blocking(shot_verbs.server_restart)
    server_abort = _blocking(shot_verbs.server_abort)
    server_stop = _blocking(shot_verbs.server_stop)
    server_quit = _blocking(shot_verbs.server_quit)
    run_function = _blocking(shot_verbs.run_function)
    server_workers = _blocking(shot_verbs.server_workers)
    clear_url = _blocking(shot_verbs.clear_url)
    status = _blocking(shot_verbs.status)
    servers = _blocking(shot_verbs.servers)
    server_log = _blocking(shot_verbs.server_log)
    actions = _blocking(shot_verbs.actions)
    pending = _blocking(shot_verbs.pending)
    show = _blocking(shot_verbs.show)
    logs = _blocking(shot_verbs.logs)
    check = _blocking(shot_verbs.check)
    tree = _blocking(shot_verbs.tree)
    current = _blocking(shot_verbs.current)
    snapshot = _blocking(shot_verbs.snapshot)
    shots = _blocking(shot_verbs.shots)
    audit = _blocking(shot_verbs.audit)
    quit = _blocking(shot_verbs.quit_dispatcher)
    find_shots = _blocking(past_verbs.find_shots)
    failures = _blocking(past_verbs.failures)
    search = _blocking(past_verbs.search)
    compare = _blocking(past_verbs.compare)
    trend = _blocking(past_verbs.trend)
    export = _blocking(past_verbs.export)
    import_piece = _blocking(past_verbs.import_piece)
    import_shot = _blocking(past_verbs.import_shot)
    note = _blocking(past_verbs.note)
    alarms = _blocking(alarm_verbs.alarms)
    alarms_ack = _blocking(alarm_verbs.alarms_ack)
    alarms_shelve = _blocking(alarm_verbs.alarms_shelve)
    fleet = _blocking(fleet_verbs.fleet)
    fleet_slots = _blocking(fleet_verbs.fleet_slots)
    fleet_hours = _blocking(fleet_verbs.fleet_hours)
    fleet_drain = _blocking(fleet_verbs.fleet_drain)
    fleet_resume = _blocking(fleet_verbs.fleet_resume)
    fleet_quit_after = _blocking(fleet_verbs.fleet_quit_after)
    fleet_heartbeat = _blocking(fleet_verbs.fleet_heartbeat)
    fleet_add = _blocking(fleet_verbs.fleet_add)
    fleet_dismiss = _blocking(fleet_verbs.fleet_dismiss)
    fleet_window = _blocking(fleet_verbs.fleet_window)
    fleet_window_remove = _blocking(fleet_verbs.fleet_window_remove)
    fleet_expect = _blocking(fleet_verbs.fleet_expect)
    fleet_expected = _blocking(fleet_verbs.fleet_expected)
    queue_add = _blocking(queue_verbs.queue_add)
    queue_propose = _blocking(queue_verbs.queue_propose)
    queue_approve = _blocking(queue_verbs.queue_approve)
    queue_update = _blocking(queue_verbs.queue_update)
    queue_move = _blocking(queue_verbs.queue_move)
    queue_remove = _blocking(queue_verbs.queue_remove)
    queue_clear = _blocking(queue_verbs.queue_clear)
    queue_release = _blocking(queue_verbs.queue_release)
    queue_mode = _blocking(queue_verbs.queue_mode)
    queue_autostart = _blocking(queue_verbs.queue_autostart)
    queue_start = _blocking(queue_verbs.queue_start)
    queue_stop = _blocking(queue_verbs.queue_stop)
    queue_execute = _blocking(queue_verbs.queue_execute)
    queue_pause = _blocking(queue_verbs.queue_pause)
    queue_resume = _blocking(queue_verbs.queue_resume)
    queue_end = _blocking(queue_verbs.queue_end)
    queue_environment = _blocking(queue_verbs.queue_environment)
    queue_lock = _blocking(queue_verbs.queue_lock)
    queue_unlock = _blocking(queue_verbs.queue_unlock)
    queue_set_groups = _blocking(queue_verbs.queue_set_groups)
    queue_hide_history = _blocking(queue_verbs.queue_hide_history)
    queue_run_task = _blocking(queue_verbs.queue_run_task)
    queue_status = _blocking(queue_verbs.queue_status)
    queue_list = _blocking(queue_verbs.queue_list)
    queue_get = _blocking(queue_verbs.queue_get)
    queue_kinds = _blocking(queue_verbs.queue_kinds)
    queue_allowed = _blocking(queue_verbs.queue_allowed)
    queue_history = _blocking(queue_verbs.queue_history)
    queue_tasks = _blocking(queue_verbs.queue_tasks)
    queue_lock_info = _blocking(queue_verbs.queue_lock_info)
    records_lease = _blocking(records_verbs.records_lease)
    records_renew = _blocking(records_verbs.records_renew)
    records_complete = _blocking(records_verbs.records_complete)
    records_return = _blocking(records_verbs.records_return)
    records_credit = _blocking(records_verbs.records_credit)
    records_leave = _blocking(records_verbs.records_leave)
    records_announce = _blocking(records_verbs.records_announce)
    records_gone = _blocking(records_verbs.records_gone)
    records_watch = _blocking(records_verbs.records_watch)
    records_redrive = _blocking(records_verbs.records_redrive)
    records_remove = _blocking(records_verbs.records_remove)
    records_scan = _blocking(records_verbs.records_scan)
    records_replay = _blocking(records_verbs.records_replay)
    records_status = _blocking(records_verbs.records_status)
    records_list = _blocking(records_verbs.records_list)
    records_file = _blocking(records_verbs.records_file)


class AsyncCommands(ABC):
    """All commands as coroutines."""

    @abstractmethod
    def ask(self, call: Call[T], timeout_s: float | None = None) -> Awaitable[T]:
        """Carry out a call; `timeout_s` None means the default of its kind."""

    create_pulse = _awaiting(shot_verbs.create_pulse)
    build_tables = _awaiting(shot_verbs.build_tables)
    do_phase = _awaiting(shot_verbs.do_phase)
    do_sequence = _awaiting(shot_verbs.do_sequence)
    dispatch = _awaiting(shot_verbs.dispatch)
    abort = _awaiting(shot_verbs.abort)
    abort_pending = _awaiting(shot_verbs.abort_pending)
    hold = _awaiting(shot_verbs.hold)
    resume = _awaiting(shot_verbs.resume)
    wait = _awaiting(shot_verbs.wait)
    server_restart = _awaiting(shot_verbs.server_restart)
    server_abort = _awaiting(shot_verbs.server_abort)
    server_stop = _awaiting(shot_verbs.server_stop)
    server_quit = _awaiting(shot_verbs.server_quit)
    run_function = _awaiting(shot_verbs.run_function)
    server_workers = _awaiting(shot_verbs.server_workers)
    clear_url = _awaiting(shot_verbs.clear_url)
    status = _awaiting(shot_verbs.status)
    servers = _awaiting(shot_verbs.servers)
    server_log = _awaiting(shot_verbs.server_log)
    actions = _awaiting(shot_verbs.actions)
    pending = _awaiting(shot_verbs.pending)
    show = _awaiting(shot_verbs.show)
    logs = _awaiting(shot_verbs.logs)
    check = _awaiting(shot_verbs.check)
    tree = _awaiting(shot_verbs.tree)
    current = _awaiting(shot_verbs.current)
    snapshot = _awaiting(shot_verbs.snapshot)
    shots = _awaiting(shot_verbs.shots)
    audit = _awaiting(shot_verbs.audit)
    quit = _awaiting(shot_verbs.quit_dispatcher)
    find_shots = _awaiting(past_verbs.find_shots)
    failures = _awaiting(past_verbs.failures)
    search = _awaiting(past_verbs.search)
    compare = _awaiting(past_verbs.compare)
    trend = _awaiting(past_verbs.trend)
    export = _awaiting(past_verbs.export)
    import_piece = _awaiting(past_verbs.import_piece)
    import_shot = _awaiting(past_verbs.import_shot)
    note = _awaiting(past_verbs.note)
    alarms = _awaiting(alarm_verbs.alarms)
    alarms_ack = _awaiting(alarm_verbs.alarms_ack)
    alarms_shelve = _awaiting(alarm_verbs.alarms_shelve)
    fleet = _awaiting(fleet_verbs.fleet)
    fleet_slots = _awaiting(fleet_verbs.fleet_slots)
    fleet_hours = _awaiting(fleet_verbs.fleet_hours)
    fleet_drain = _awaiting(fleet_verbs.fleet_drain)
    fleet_resume = _awaiting(fleet_verbs.fleet_resume)
    fleet_quit_after = _awaiting(fleet_verbs.fleet_quit_after)
    fleet_heartbeat = _awaiting(fleet_verbs.fleet_heartbeat)
    fleet_add = _awaiting(fleet_verbs.fleet_add)
    fleet_dismiss = _awaiting(fleet_verbs.fleet_dismiss)
    fleet_window = _awaiting(fleet_verbs.fleet_window)
    fleet_window_remove = _awaiting(fleet_verbs.fleet_window_remove)
    fleet_expect = _awaiting(fleet_verbs.fleet_expect)
    fleet_expected = _awaiting(fleet_verbs.fleet_expected)
    queue_add = _awaiting(queue_verbs.queue_add)
    queue_propose = _awaiting(queue_verbs.queue_propose)
    queue_approve = _awaiting(queue_verbs.queue_approve)
    queue_update = _awaiting(queue_verbs.queue_update)
    queue_move = _awaiting(queue_verbs.queue_move)
    queue_remove = _awaiting(queue_verbs.queue_remove)
    queue_clear = _awaiting(queue_verbs.queue_clear)
    queue_release = _awaiting(queue_verbs.queue_release)
    queue_mode = _awaiting(queue_verbs.queue_mode)
    queue_autostart = _awaiting(queue_verbs.queue_autostart)
    queue_start = _awaiting(queue_verbs.queue_start)
    queue_stop = _awaiting(queue_verbs.queue_stop)
    queue_execute = _awaiting(queue_verbs.queue_execute)
    queue_pause = _awaiting(queue_verbs.queue_pause)
    queue_resume = _awaiting(queue_verbs.queue_resume)
    queue_end = _awaiting(queue_verbs.queue_end)
    queue_environment = _awaiting(queue_verbs.queue_environment)
    queue_lock = _awaiting(queue_verbs.queue_lock)
    queue_unlock = _awaiting(queue_verbs.queue_unlock)
    queue_set_groups = _awaiting(queue_verbs.queue_set_groups)
    queue_hide_history = _awaiting(queue_verbs.queue_hide_history)
    queue_run_task = _awaiting(queue_verbs.queue_run_task)
    queue_status = _awaiting(queue_verbs.queue_status)
    queue_list = _awaiting(queue_verbs.queue_list)
    queue_get = _awaiting(queue_verbs.queue_get)
    queue_kinds = _awaiting(queue_verbs.queue_kinds)
    queue_allowed = _awaiting(queue_verbs.queue_allowed)
    queue_history = _awaiting(queue_verbs.queue_history)
    queue_tasks = _awaiting(queue_verbs.queue_tasks)
    queue_lock_info = _awaiting(queue_verbs.queue_lock_info)
    records_lease = _awaiting(records_verbs.records_lease)
    records_renew = _awaiting(records_verbs.records_renew)
    records_complete = _awaiting(records_verbs.records_complete)
    records_return = _awaiting(records_verbs.records_return)
    records_credit = _awaiting(records_verbs.records_credit)
    records_leave = _awaiting(records_verbs.records_leave)
    records_announce = _awaiting(records_verbs.records_announce)
    records_gone = _awaiting(records_verbs.records_gone)
    records_watch = _awaiting(records_verbs.records_watch)
    records_redrive = _awaiting(records_verbs.records_redrive)
    records_remove = _awaiting(records_verbs.records_remove)
    records_scan = _awaiting(records_verbs.records_scan)
    records_replay = _awaiting(records_verbs.records_replay)
    records_status = _awaiting(records_verbs.records_status)
    records_list = _awaiting(records_verbs.records_list)
    records_file = _awaiting(records_verbs.records_file)
