"""Requests of the queue server's clients, against the pulse queue itself: no sockets."""

import json

import msgpack
import pytest

from shotline.bridges.qserver import wire
from shotline.bridges.qserver.asking import Body, Effect, Heard, Question
from shotline.bridges.qserver.console import line_of_request, lines_of
from shotline.bridges.qserver.machine import METHODS, Machine
from shotline.bridges.qserver.method import Context
from shotline.bridges.qserver.old_dialect import OldDialect
from shotline.bridges.qserver.permissions import groups_of, permissions_of
from shotline.bridges.qserver.view import View
from shotline.bridges.qserver.wire import QueueRequest
from shotline.client.calls import Call
from shotline.client.fake import FakeAction, FakeShotline
from shotline.common.base import Json
from shotline.common.messages import Outcome
from shotline.common.queue.kinds import KindView, Parameter, PlanKind, schema_of
from shotline.common.queue.plans import PlanPhase
from shotline.common.queue.records import EntriesAdded
from shotline.common.queue.views import QueueTasksResult
from shotline.common.settings.sections.qserver import QserverSection

KIND = PlanKind(
    description="Readings.",
    experiment="TEST",
    phases=(PlanPhase(phase="INIT"),),
    parameters={
        "detectors": Parameter(type="list", items="text"),
        "num": Parameter(type="integer", minimum=0, default=1),
    },
)
WHO = {"user": "someone", "user_group": "primary"}
COUNT = {"item_type": "plan", "name": "count", "args": [["det1"]]}


class Front:
    """The bridge's machine, whose commands go to a queue in this process."""

    def __init__(self, **settings: Json) -> None:
        self.shotline = FakeShotline({"TEST": [FakeAction("ONE", "INIT")]}, kinds={"count": KIND})
        self.view = View()
        self.view.kinds = {
            "count": KindView(name="count", kind=KIND, parameters_schema=schema_of(KIND))
        }
        self.machine = Machine(Context(self.view, QserverSection(**settings)))
        self.effect = Effect.NONE

    def look(self) -> None:
        snapshot = self.shotline.snapshot("queue").queue
        assert snapshot is not None
        self.view.begin(snapshot)

    def ask(self, method: str, **params: Json) -> Body:
        """Return the reply to a request."""
        self.look()
        step = self.machine.answer(QueueRequest(method, params))
        while isinstance(step, Question):
            told = self.shotline.ask(Call(step.command, _told))
            self.look()
            step = step.then(told)
        self.effect = step.effect
        return step.body or {}

    def add(self, item: Body | None = None, **params: Json) -> Body:
        return self.ask("queue_item_add", item=COUNT if item is None else item, **WHO, **params)


def _told(reply, result) -> Heard:  # type: ignore[no-untyped-def]
    return Heard(reply.outcome, reply.message, result)


@pytest.fixture
def front() -> Front:
    return Front()


def test_a_plan_comes_back_as_it_was_given(front: Front) -> None:
    meta = {"sample": [1, {"a": None}]}
    added = front.add({**COUNT, "kwargs": {"num": 3}, "meta": meta, "odd": 1})
    assert added["success"] is True
    item = added["item"]
    assert item["args"] == [["det1"]]
    assert item["kwargs"] == {"num": 3}
    assert item["meta"] == meta
    assert "odd" not in item
    assert front.ask("queue_get")["items"] == [item]
    assert front.shotline.queue_list().entries[0].plan.parameters == {
        "detectors": ["det1"],
        "num": 3,
    }


@pytest.mark.parametrize(
    ("pos", "expected"),
    [(None, 2), ("back", 2), ("front", 0), (1, 1), (9, 2), (-1, 2), (-2, 1), (-9, 0)],
)
def test_a_plan_goes_to_its_position(front: Front, pos: Json, expected: int) -> None:
    front.add()
    front.add()
    uid = front.add(pos=pos)["item"]["item_uid"]
    assert [one["item_uid"] for one in front.ask("queue_get")["items"]].index(uid) == expected


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({**COUNT, "name": "other"}, "Plan 'other' is not in the list of allowed plans"),
        ({**COUNT, "kwargs": {"abc": 1}}, "got an unexpected keyword argument 'abc'"),
        ({**COUNT, "kwargs": {"detectors": []}}, "multiple values for argument 'detectors'"),
        ({**COUNT, "args": [[], 1, 2]}, "too many positional arguments"),
        ({**COUNT, "args": []}, "missing a required argument: 'detectors'"),
        ({**COUNT, "kwargs": {"num": -1}}, "Plan validation failed: count: parameter num must"),
        ({**COUNT, "args": 5}, "args must be a list"),
        ({"name": "count"}, "'item_type' key is not found"),
        ({**COUNT, "item_type": "function"}, "unsupported 'item_type' value: 'function'"),
        ([], "item parameter must have type 'dict'"),
        ({"item_type": "instruction", "name": "jump"}, "Unrecognized instruction"),
    ],
)
def test_a_bad_item_is_refused_in_words(front: Front, item: Json, words: str) -> None:
    reply = front.add(item)
    assert reply["success"] is False
    assert words in reply["msg"]
    assert front.ask("queue_get")["items"] == []


def test_a_batch_is_added_as_a_whole_or_not_at_all(front: Front) -> None:
    bad = {**COUNT, "kwargs": {"num": -1}}
    reply = front.ask("queue_item_add_batch", items=[COUNT, bad], **WHO)
    assert reply["success"] is False
    assert [one["success"] for one in reply["results"]] == [True, False]
    reply = front.ask("queue_item_add_batch", items=[COUNT, COUNT], **WHO)
    assert reply["success"] is True
    assert reply["qsize"] == 2


def test_every_method_refuses_what_it_does_not_know(front: Front) -> None:
    for method in METHODS:
        reply = front.ask(method, odd=1)
        assert reply["success"] is False, method
        assert "unsupported parameters: 'odd'" in reply["msg"], method


def test_an_unknown_method_is_refused(front: Front) -> None:
    assert "Unknown method 'jump'" in front.ask("jump")["msg"]


def test_whoever_has_not_the_key_is_refused_by_the_locked_part_only(front: Front) -> None:
    locked = front.ask("lock", user="me", lock_key="secret", queue=True, note="maintenance")
    assert locked["success"] is True
    assert locked["lock_info"]["user"] == "me"
    refused = front.add()
    assert "Invalid lock key: me has locked the queue: maintenance" in refused["msg"]
    assert front.add(lock_key="wrong")["success"] is False
    assert front.add(lock_key="secret")["success"] is True
    assert front.ask("queue_stop_cancel")["success"] is True  # not under that part
    assert front.ask("lock_info", lock_key="wrong")["success"] is False
    assert front.ask("unlock", lock_key="secret")["success"] is True
    assert front.add()["success"] is True


def test_what_changes_nothing_keeps_the_uid_of_the_queue(front: Front) -> None:
    uids = [front.add()["item"]["item_uid"] for _ in range(3)]
    before = front.ask("queue_get")["plan_queue_uid"]
    assert front.ask("queue_item_move", uid=uids[0], pos_dest="front")["success"] is True
    assert front.ask("queue_get")["plan_queue_uid"] == before
    assert front.ask("queue_item_move", pos=0, pos_dest=2)["success"] is True
    assert front.ask("queue_get")["plan_queue_uid"] != before


def test_a_reply_waits_for_the_list_that_it_tells_of_and_for_no_other(front: Front) -> None:
    def has(version: int) -> bool:
        return front.view.has(QueueTasksResult(version=version, tasks=()))

    front.add()
    front.look()
    versions = front.view.fold.versions
    assert versions.queue > versions.tasks
    assert has(versions.tasks)
    assert not has(versions.queue)


def test_an_update_in_the_background_leaves_the_workers_to_the_running_plan(front: Front) -> None:
    front.shotline.never_ends("ONE")
    front.add()
    front.ask("queue_start")
    assert "must be in idle state" in front.ask("environment_update")["msg"]
    uid = front.ask("environment_update", run_in_background=True)["task_uid"]
    assert front.ask("task_status", task_uid=uid)["status"] == "completed"
    assert front.ask("task_result", task_uid=uid)["result"]["success"] is True
    assert front.view.manager_state == "executing_queue"


def test_the_console_tells_what_was_added_and_what_requests_came_to(front: Front) -> None:
    added = front.add()
    entries = front.shotline.queue_list().entries
    lines = list(lines_of(EntriesAdded(time=0.0, entries=entries, at=0, by="someone")))
    uid = added["item"]["item_uid"]
    assert lines == [
        "Adding new item to the queue by someone",
        f"Item added: count (item {uid})",
    ]
    assert line_of_request("queue_item_add", added) == "queue_item_add: done"
    refused = front.ask("queue_item_get", uid="none")
    assert line_of_request("queue_item_get", refused).startswith("queue_item_get was refused: ")


def test_scripts_are_refused_first_as_the_original_refuses_them(front: Front) -> None:
    def refused() -> Json:
        return front.ask("script_upload", script="1")["msg"]

    assert "scripts are not taken" in refused()
    front.ask("environment_close")
    assert "must be in idle state" in refused()


def test_while_shotline_is_away_nothing_but_the_status_is_answered(front: Front) -> None:
    front.view.forget()
    step = front.machine.answer(QueueRequest("queue_get", {}))
    assert not isinstance(step, Question)
    assert step.body is not None
    assert "Shotline does not answer" in step.body["msg"]
    status = front.view.status(0.0)
    assert status["manager_state"] == "initializing"
    assert "Shotline does not answer" in status["msg"]


def test_only_a_configuration_lets_clients_stop_or_silence_the_bridge_unsafely() -> None:
    front = Front()
    assert front.ask("manager_kill")["success"] is False
    assert front.ask("manager_stop", option="safe_off")["success"] is False
    assert front.effect is Effect.NONE
    assert front.ask("manager_stop")["success"] is True
    assert front.effect is Effect.STOP
    front = Front(test_methods=True)
    assert front.ask("manager_kill") == {}
    assert front.effect is Effect.FALL_SILENT


def test_the_status_has_an_uid_that_changes_with_it(front: Front) -> None:
    front.look()
    first = front.view.status(1.0)
    assert front.view.status(2.0)["status_uid"] == first["status_uid"]
    front.add()
    assert front.view.status(2.0)["status_uid"] != first["status_uid"]


def test_permissions_come_back_as_they_were_set() -> None:
    given = {
        "user_groups": {
            "root": {"allowed_plans": [None], "forbidden_plans": [":^_"]},
            "primary": {"allowed_plans": ["count", ":^scan.*$"], "allowed_devices": [":.*"]},
        }
    }
    groups = groups_of(given)
    assert groups["primary"].kinds.allowed == ("count", "scan*")
    assert groups["primary"].kinds.forbidden == ("_*",)
    assert permissions_of(groups) == given


@pytest.mark.parametrize("pattern", [":^(a+)+$", ":[", 5])
def test_a_pattern_without_a_counterpart_is_refused(front: Front, pattern: Json) -> None:
    groups = {"root": {"allowed_plans": [None]}, "primary": {"allowed_plans": [pattern]}}
    reply = front.ask("permissions_set", user_group_permissions={"user_groups": groups})
    assert reply["success"] is False
    assert "pattern" in reply["msg"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "JSON decode error"),
        (b"[" * 100_000, "JSON decode error"),
        (b"\xff", "JSON decode error"),
        (b"[]", "Dictionary is expected"),
        (b'{"met": 1}', "method is not specified"),
        (b'{"method": 5}', "method is no text"),
        (b'{"method": "ping", "params": []}', "params are no object"),
        (b'{"method": "ping", "more": 1}', "unsupported keys"),
    ],
)
def test_bytes_that_are_no_request_are_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(wire.BadRequest, match=words):
        wire.request_of(data, "json")


def test_both_encodings_say_the_same() -> None:
    message = {"method": "queue_item_get", "params": {"pos": -1}}
    expected = QueueRequest("queue_item_get", {"pos": -1})
    assert wire.request_of(json.dumps(message).encode(), "json") == expected
    assert wire.request_of(msgpack.packb(message), "msgpack") == expected
    with pytest.raises(wire.BadRequest, match="MSGPACK decode error"):
        wire.request_of(msgpack.packb(message)[:-1], "msgpack")


def test_the_first_version_speaks_of_plans(front: Front) -> None:
    front.add()
    old = OldDialect(front.machine, front.view)
    asked = {"plan": {"name": "count", "args": [["det2"]]}, "user": "me", "user_group": "root"}
    step = old.answer(QueueRequest("queue_plan_add", {**asked, "pos": -1}), 0.0)
    while isinstance(step, Question):
        told = front.shotline.ask(Call(step.command, _told))
        assert told.outcome is Outcome.OK
        front.look()
        step = step.then(told)
    assert step.body is not None
    assert step.body["plan"]["args"] == [["det2"]]
    assert step.body["plan"]["plan_uid"]
    assert front.ask("queue_get")["items"][0]["args"] == [["det2"]]
    status = old.answer(QueueRequest("", {}), 0.0)
    assert not isinstance(status, Question)
    assert status.body is not None
    assert status.body["plans_in_queue"] == 2


def test_the_same_version_of_another_journal_is_another_queue() -> None:
    """Clients keep what they have fetched while its uid stays."""
    uids = []
    for _ in range(2):
        front = Front()
        front.add()
        uids.append(front.ask("queue_get")["plan_queue_uid"])
    assert uids[0] != uids[1]
