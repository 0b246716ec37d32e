"""Tasks of the pulse queue: functions of the configuration, run like any action."""

from tests.support.dispatching import view_of
from tests.unit.pulse_queue.test_running import Programme

from shotline.client.testing.dispatcher import configured, with_keys
from shotline.common.commands import Actions
from shotline.common.messages import Held, HeldAs, Outcome, Reply
from shotline.common.queue import commands as q
from shotline.common.queue.records import QueueTask
from shotline.common.queue.views import (
    QueueAllowedResult,
    QueueState,
    QueueTasksResult,
    RefusalCode,
)
from shotline.common.records import ShotKey

FUNCTIONS = {"calibrate": {"python": "lab:calibrate", "class": "SRV_A"}}
CONFIG = with_keys(configured("T"), queue={"functions": FUNCTIONS})
FIRST = ShotKey("TASKS", 1)
PATH = "\\TASKS::TOP:CALIBRATE"


def task_of(reply: Reply) -> QueueTask:
    result = view_of(reply)
    assert isinstance(result, QueueTasksResult)
    (task,) = result.tasks
    return task


def ended(programme: Programme, text: str, *, ok: bool = True, key: ShotKey = FIRST) -> None:
    programme.start(PATH, key=key).finish(PATH, ok=ok, text=text, key=key)


def test_what_a_function_returns_is_the_tasks_value() -> None:
    programme = Programme(config=CONFIG)
    command = q.QueueRunTask(
        function="calibrate", positional=(7,), arguments={"coil": 3}, wait=True
    )
    assert programme.ask(command, "task-0001") is None
    (dispatch,) = programme.dispatches(PATH)
    assert b'"function":"lab:calibrate","positional":[7],"arguments":{"coil":3}' in dispatch.task
    ended(programme, '{"gain": 1.5}')
    (reply,) = programme.replies_to("task-0001")
    task = task_of(reply)
    assert (reply.outcome, task.state, task.value) == (Outcome.OK, "completed", {"gain": 1.5})
    assert task_of(programme.good(q.QueueTasks(uids=(task.uid,)))) == task
    programme.pass_time(3700)
    programme.add()
    assert programme.refused(q.QueueTasks(uids=(task.uid,))).code is RefusalCode.UNKNOWN_TASK


def test_a_function_that_fails_tells_why() -> None:
    programme = Programme(config=CONFIG)
    task = task_of(programme.good(q.QueueRunTask(function="calibrate")))
    assert task.state == "running"
    ended(programme, "ValueError: no coil", ok=False)
    task = task_of(programme.good(q.QueueTasks()))
    assert (task.state, task.message) == ("failed", "ValueError: no coil")
    assert programme.refused(q.QueueRunTask(function="format_disk")).code is (
        RefusalCode.UNKNOWN_FUNCTION
    )


def test_no_plan_begins_beside_a_task_that_is_not_in_the_background() -> None:
    programme = Programme(config=CONFIG)
    programme.add()
    programme.good(q.QueueRunTask(function="calibrate"))
    programme.good(q.QueueStart())
    assert programme.queue.state is QueueState.ARMED
    ended(programme, "null")
    assert programme.queue.state is QueueState.RUNNING
    refused = programme.refused(q.QueueRunTask(function="calibrate"))
    assert refused.code is RefusalCode.WRONG_STATE
    programme.good(q.QueueRunTask(function="calibrate", background=True))
    programme.fire()


def test_a_task_survives_the_dispatcher_and_is_not_begun_again() -> None:
    programme = Programme(config=CONFIG)
    task = task_of(programme.good(q.QueueRunTask(function="calibrate")))
    programme.start(PATH, key=FIRST)
    attempt = programme.attempt(PATH, key=FIRST)
    after = programme.restart()

    held = Held(attempt=attempt, held_as=HeldAs.RUNNING, started_at=1.0)
    after.register("SRV_A:1", slots=2, holding=(held,), epoch=2)
    after.recover()
    after.finish(PATH, text="7", key=FIRST)
    assert after.dispatches(PATH) == []
    again = task_of(after.told(q.QueueTasks()))
    assert (again.uid, again.state, again.value) == (task.uid, "completed", 7)


def test_commands_without_a_tree_never_mean_a_task() -> None:
    programme = Programme(config=CONFIG)
    programme.add()
    programme.good(q.QueueRunTask(function="calibrate"))
    ended(programme, "null")
    programme.good(q.QueueStart())
    assert programme.key == ShotKey("T", 1)

    assert programme.told(Actions()).outcome is Outcome.OK


def test_declared_arguments_are_checked_and_told_and_have_defaults() -> None:
    declared = {
        "coil": {"type": "integer", "minimum": 1, "maximum": 8},
        "gain": {"type": "number", "default": 1.5, "unit": "V"},
    }
    functions = {"calibrate": {**FUNCTIONS["calibrate"], "parameters": declared}}
    programme = Programme(config=with_keys(configured("T"), queue={"functions": functions}))
    for arguments in ({}, {"coil": 9}, {"coil": 1, "speed": 3}):
        refused = programme.refused(q.QueueRunTask(function="calibrate", arguments=arguments))
        assert refused.code is RefusalCode.BAD_PARAMETER
    task = task_of(programme.good(q.QueueRunTask(function="calibrate", arguments={"coil": 3})))
    assert task.arguments == {"coil": 3, "gain": 1.5}
    told = view_of(programme.good(q.QueueAllowed()))
    assert isinstance(told, QueueAllowedResult)
    (view,) = told.function_views
    assert (view.name, view.server_class) == ("calibrate", "SRV_A")
    assert view.parameters_schema["properties"]["gain"]["x-unit"] == "V"
    assert view.parameters_schema["required"] == ["coil"]


def test_arguments_by_position_are_the_declared_ones_in_their_order() -> None:
    declared = {"coil": {"type": "integer"}, "gain": {"type": "number", "default": 1.5}}
    functions = {"calibrate": {**FUNCTIONS["calibrate"], "parameters": declared}}
    programme = Programme(config=with_keys(configured("T"), queue={"functions": functions}))
    for positional, arguments in (((1, 2, 3), {}), ((1,), {"coil": 1}), (("left",), {})):
        command = q.QueueRunTask(function="calibrate", positional=positional, arguments=arguments)
        assert programme.refused(command).code is RefusalCode.BAD_PARAMETER
    command = q.QueueRunTask(function="calibrate", positional=(3,), arguments={"gain": 2.0})
    task = task_of(programme.good(command))
    assert (task.positional, task.arguments) == ((), {"coil": 3, "gain": 2.0})
