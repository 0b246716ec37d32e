"""What pages are told of the pulse queue: the whole, each change, and who did what."""

import json

import msgspec
import pytest
from tests.support import queue_histories

from shotline.client.observer import News, Update, Whole
from shotline.common.channels import QUEUE
from shotline.common.machine import Instant
from shotline.common.queue.plans import (
    Entry,
    EntryState,
    ExitStatus,
    FailedAction,
    HistoryItem,
    PlanResult,
    PlanRun,
    PulsePlan,
)
from shotline.common.queue.records import (
    EntriesAdded,
    EntriesApproved,
    EntriesMoved,
    EntriesRemoved,
    EntryChanged,
    LockChanged,
    LockKept,
    PauseAsked,
    PlanEnded,
    PlanStarted,
    QueueKept,
    QueueModes,
    QueueRecord,
    QueueSwitched,
    Versions,
)
from shotline.common.queue.views import (
    ProgressView,
    QueueEvent,
    QueueSnapshot,
    QueueState,
    QueueView,
)
from shotline.common.views import SnapshotResult
from shotline.monitor.models import ChannelMessage
from shotline.monitor.view.effects import Post
from shotline.monitor.view.queue import FAILED_MAX, QueueBoard

NOW = Instant(10.0, 1000.0)
Json = dict[str, object]


def entry(uid: str, kind: str = "ohmic", **fields: object) -> Entry:
    return msgspec.convert(
        {"uid": uid, "plan": {"kind": kind}, "added_at": 1.0, "user": "anna"} | fields, Entry
    )


def view(state: QueueState = QueueState.IDLE, **fields: object) -> QueueView:
    return msgspec.convert({"state": state, "text": "", "versions": Versions()} | fields, QueueView)


def told(board: QueueBoard, update: Update) -> list[tuple[str | None, Json]]:
    """Return the messages of an update, each as the page reads it, with their keys."""
    found = []
    for effect in board.take(NOW, update):
        assert isinstance(effect, Post)
        assert effect.channel == QUEUE
        body = b'{"seq":1,' + effect.body
        msgspec.json.decode(body, type=ChannelMessage)  # its fields are those that are documented
        found.append((effect.key, json.loads(body)))
    return found


def board_of(*entries: Entry, **fields: object) -> QueueBoard:
    board = QueueBoard()
    kept = msgspec.convert({"time": 1.0, "entries": entries} | fields, QueueKept)
    snapshot = QueueSnapshot(kept=kept, queue=view())
    whole = Whole(QUEUE, SnapshotResult(channel=QUEUE, term=1, seq=0, queue=snapshot))
    assert [key for key, _ in told(board, whole)] == ["whole"]
    return board


def happens(board: QueueBoard, *records: QueueRecord, **more: object) -> Json:
    """Let records come; return the message about them."""
    event = QueueEvent(records=records, queue=view(**more))  # type: ignore[arg-type]
    (_, message), *_ = told(board, News(QUEUE, 1000.0, event))
    return message


def said(message: Json) -> list[tuple[object, object]]:
    """Return who did what, as a message tells it."""
    changes = message["changes"]
    assert isinstance(changes, list)
    return [(one.get("by", ""), one["text"]) for one in changes]


def whole(board: QueueBoard) -> Json:
    body = board.whole(5.0)
    assert body is not None
    found = json.loads(b"{" + body)
    assert isinstance(found, dict)
    return found


def test_nothing_is_told_before_the_dispatcher_has_told_of_it() -> None:
    board = QueueBoard()
    assert board.whole(1.0) is None
    assert told(board, News(QUEUE, 1.0, QueueEvent(progress=ProgressView()))) == []


def test_who_comes_later_has_the_same_whole_as_those_who_were_told_each_change() -> None:
    board = board_of(entry("a"), entry("b"))
    added = EntriesAdded(time=2.0, by="ben", entries=(entry("c", "gas"),), at=1)
    message = happens(board, added)
    assert message["command"] == "QUEUE"
    records = message["records"]
    assert isinstance(records, list)
    assert [(one["type"], one["at"]) for one in records] == [("entries_added", 1)]
    happens(board, EntriesMoved(time=3.0, by="anna", uids=("b",), at=0))
    happens(board, EntryChanged(time=4.0, by="ben", entry=entry("a", "other"), what="updated"))
    found = whole(board)
    entries, changes = found["entries"], found["changes"]
    assert isinstance(entries, list)
    assert isinstance(changes, list)
    assert [(one["uid"], one["plan"]["kind"]) for one in entries] == [
        ("b", "ohmic"),
        ("a", "other"),
        ("c", "gas"),
    ]
    assert [one["text"] for one in changes] == [
        "added gas",
        "moved ohmic to place 1",
        "changed other",
    ]


@pytest.mark.parametrize(
    ("record", "by", "text"),
    [
        (EntriesRemoved(time=2.0, by="ben", uids=("a", "b")), "ben", "removed 2 plans: ohmic, gas"),
        (
            EntriesAdded(
                time=2.0, by="carla", entries=(entry("p", state=EntryState.PROPOSED),), at=0
            ),
            "carla",
            "proposed ohmic",
        ),
        (QueueSwitched(time=2.0, by="anna", armed=True), "anna", "armed the queue"),
        (
            QueueSwitched(time=2.0, by="anna", armed=False, modes=QueueModes(loop=True)),
            "anna",
            "switched loop on",
        ),
        (LockChanged(time=2.0, by="ben", lock=None), "ben", "unlocked"),
        (PlanStarted(time=2.0, entry=entry("a"), plan=PulsePlan()), "", "ohmic began to run"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_it_is_said_who_did_what(record: QueueRecord, by: str, text: str) -> None:
    board = board_of(entry("a"), entry("b", "gas"))
    assert said(happens(board, record)) == [(by, text)]


def test_who_pauses_the_running_plan_is_named() -> None:
    board = board_of(entry("a"))
    happens(board, PlanStarted(time=2.0, entry=entry("a"), plan=PulsePlan()))
    message = happens(board, PauseAsked(time=3.0, by="ben", immediate=True))
    assert said(message) == [("ben", "paused at once")]


def test_an_approved_proposal_is_named() -> None:
    board = board_of(entry("a"))
    happens(board, EntriesAdded(time=2.0, entries=(entry("p", state=EntryState.PROPOSED),), at=0))
    message = happens(board, EntriesApproved(time=3.0, by="anna", uids=("p",), at=1))
    assert said(message) == [("anna", "approved ohmic")]


def test_the_lock_is_said_and_its_key_never_leaves() -> None:
    board = board_of(entry("a"))
    lock = LockKept(user="anna", note="test", queue=True, key_hash="f00d", time=2.0)
    event = QueueEvent(
        records=(LockChanged(time=2.0, by="anna", lock=lock),),
        queue=view(lock={"user": "anna", "note": "test", "queue": True, "time": 2.0}),
    )
    ((_, message),) = told(board, News(QUEUE, 1.0, event))
    assert said(message) == [("anna", "locked the queue: test")]
    assert "f00d" not in json.dumps(message)
    assert "f00d" not in json.dumps(whole(board))


def test_an_ended_plan_stands_in_the_history_with_the_first_of_what_failed() -> None:
    board = board_of(entry("a"))
    happens(board, PlanStarted(time=2.0, entry=entry("a"), plan=PulsePlan()))
    failed = tuple(FailedAction(path=f"P{number}", state="DONE") for number in range(50))
    run = PlanRun(tree="T", shot=1, run=1, phase="INIT", failed=failed, opened_at=1.0)
    result = PlanResult(exit_status=ExitStatus.FAILED, began_at=1.0, ended_at=2.0, runs=(run,))
    back = entry("b", state=EntryState.HELD)
    item = HistoryItem(entry=entry("a"), result=result)
    message = happens(board, PlanEnded(time=3.0, item=item, back=back))
    assert said(message) == [("", "ohmic ended: failed")]
    found = whole(board)
    history, entries = found["history"], found["entries"]
    assert isinstance(history, list)
    assert isinstance(entries, list)
    assert len(history[0]["result"]["runs"][0]["failed"]) == FAILED_MAX
    assert [one["uid"] for one in entries] == ["b"]


def test_progress_alone_replaces_what_was_told_of_it() -> None:
    board = board_of(entry("a"))
    event = QueueEvent(progress=ProgressView(phase="INIT", done=1, total=4))
    ((key, message),) = told(board, News(QUEUE, 1000.0, event))
    assert (key, message["command"]) == ("progress", "PLAN_PROGRESS")
    assert message["running"] == {"phase": "INIT", "done": 1, "total": 4}


def test_the_page_is_held_to_what_the_fold_does_now() -> None:
    """`python -m tests.support.queue_histories` writes the file anew."""
    assert queue_histories.FILE.read_text(encoding="utf-8") == queue_histories.text()
