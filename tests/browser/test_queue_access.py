"""The tab Queue for everybody: axe-core finds nothing, dark and light; others' changes; scale."""

import json
import re
import time

import msgspec
import pytest
from tests.support.axe import needs_axe, violations
from tests.support.browser import shown
from tests.support.mock_monitor import MockMonitor, refused, reply
from tests.support.queue_page import KINDS, expect_programme, form, row

from shotline.client.observer import News, Whole
from shotline.common.commands import AnyCommand
from shotline.common.messages import Reply
from shotline.common.queue.commands import QueueHistory, QueueMove
from shotline.common.queue.kinds import FunctionView, KindView, Parameter, PlanKind, schema_of
from shotline.common.queue.plans import Entry, HistoryItem
from shotline.common.queue.records import (
    EntriesAdded,
    PlanProgress,
    QueueGroup,
    QueueKept,
    Versions,
)
from shotline.common.queue.views import (
    ProgressView,
    QueueAllowedResult,
    QueueChange,
    QueueEvent,
    QueueHistoryResult,
    QueueKindsResult,
    QueueLockView,
    QueueRefused,
    QueueSnapshot,
    QueueState,
    QueueTasksResult,
    QueueView,
    RefusalCode,
)
from shotline.common.views import SnapshotResult

ALLOWED = ("edit", "stop", "pause", "end")

Json = dict[str, object]


def entry(uid: str, current: float, **fields: object) -> Entry:
    plan = {"kind": "ohmic", "parameters": {"current": current}}
    made = {"uid": uid, "plan": plan, "added_at": time.time(), "user": "anna"}
    return msgspec.convert(made | fields, Entry)


def tell(
    monitor: MockMonitor,
    *entries: Entry,
    proposals: tuple[Entry, ...] = (),
    history: tuple[HistoryItem, ...] = (),
    version: int = 5,
    ever: int | None = None,
    **fields: object,
) -> None:
    """Let the dispatcher tell the whole queue."""
    kept = QueueKept(time=1.0, entries=entries, proposals=proposals)
    view: Json = {
        "state": QueueState.IDLE,
        "text": "it was not started",
        "versions": Versions(queue=version, kinds=1),
        "entries": len(entries),
        "proposals": len(proposals),
        "history": len(history) if ever is None else ever,
        "allowed": ("edit", "start", "execute"),
    }
    queue = QueueSnapshot(
        kept=kept, queue=msgspec.convert(view | fields, QueueView), history=history
    )
    monitor.take(Whole("queue", SnapshotResult(channel="queue", term=1, seq=0, queue=queue)))


def with_kinds(monitor: MockMonitor) -> None:
    kinds = tuple(
        KindView(name=name, kind=kind, parameters_schema=schema_of(kind))
        for name, kind in msgspec.convert(KINDS, dict[str, PlanKind]).items()
    )
    parameters = msgspec.convert({"coil": {"type": "integer", "maximum": 8}}, dict[str, Parameter])
    function = FunctionView(
        name="calibrate",
        description="Reads the coils.",
        server_class="A",
        parameters_schema=schema_of(PlanKind(parameters=parameters)),
    )
    allowed = QueueAllowedResult(
        version=1,
        group="operators",
        groups={"operators": QueueGroup(), "visitors": QueueGroup(description="Guests.")},
        kinds=kinds,
        experiments=("TEST",),
        classes=(),
        functions=("calibrate",),
        function_views=(function,),
    )
    states = ("running", "completed", "failed")
    tasks = [
        {"uid": f"t{one}", "function": "calibrate", "state": one, "began_at": 1.0, "value": [1, 2]}
        | {"message": "ValueError: no coil" if one == "failed" else "", "user": "anna"}
        for one in states
    ]
    told = msgspec.convert({"kind": "queue_tasks", "version": 1, "tasks": tasks}, QueueTasksResult)
    monitor.answers["queue_tasks"] = reply(result=msgspec.json.encode(told))
    listed = QueueKindsResult(version=1, kinds=kinds)
    monitor.answers["queue_allowed"] = reply(result=msgspec.json.encode(allowed))
    monitor.answers["queue_kinds"] = reply(result=msgspec.json.encode(listed))


def busy(monitor: MockMonitor) -> None:
    """Let everything be there that the tab can show."""
    result = {
        "exit_status": "failed",
        "message": "PULSE: 1 failed: CAMERA",
        "tree": "TEST",
        "shot": 3,
        "began_at": 1.0,
        "ended_at": 9.0,
        "runs": [{"tree": "TEST", "shot": 3, "run": 1, "phase": "INIT", "opened_at": 1.0}],
    }
    held = entry("h", 0.5, state="held", held="failed: PULSE: 1 failed", result=result)
    running = entry("r", 0.4)
    tell(
        monitor,
        held,
        entry("a", 0.6),
        msgspec.convert({"uid": "s", "plan": {"type": "stop"}, "added_at": 1.0}, Entry),
        proposals=(entry("p", 1.9, state="proposed"),),
        history=(msgspec.convert({"entry": entry("e", 0.1), "result": result}, HistoryItem),),
        state=QueueState.PAUSED,
        text="paused before the next phase; ohmic runs as TEST/4",
        held=1,
        running=PlanProgress(entry=running, plan=running.plan, began_at=2.0, tree="TEST", shot=4),
        progress=ProgressView(phase="INIT", phase_number=1, phases=3, done=1, total=4, left_s=30.0),
        lock=QueueLockView(user="ben", note="interlock", queue=True, time=1.0),
        allowed=ALLOWED,
    )


@needs_axe
@pytest.mark.parametrize("width", [1500, 400])
def test_axe_finds_nothing(monitor: MockMonitor, width: int) -> None:
    with_kinds(monitor)
    tell(monitor)
    page = monitor.open("#/queue", monitor.new_page(width))
    shown(page.locator("queue-programme .empty")).to_be_visible()
    assert violations(page, "tab-queue") == []
    busy(monitor)
    expect_programme(page, "0.5", "0.6", None)
    assert violations(page, "tab-queue") == []
    page.get_by_role("grid", name="programme").focus()
    for key in ("Home", "ArrowDown", " ", "ArrowDown"):
        page.keyboard.press(key)
    shown(page.locator(".plan-row.moving")).to_have_count(1)
    assert violations(page, "tab-queue") == []
    page.keyboard.press("Escape")
    for pane in ("history", "proposals", "tasks", "changes"):
        page.locator(f"button[data-pane={pane}]").click()
        shown(page.locator(f"queue-{pane}:visible")).to_have_count(1)
        assert violations(page, "tab-queue") == []
    assert violations(page, "nav") == []
    if width == 400:
        page.locator("button[data-pane=programme]").click()
    page.get_by_role("button", name="Add a plan").click()
    form(page).locator("summary").click()
    form(page).locator("[data-field=current]").fill("9")
    form(page).get_by_role("button", name="Add", exact=True).click()
    shown(page.locator(".field-problem:visible")).to_have_count(1)
    assert violations(page, "dialog") == []
    page.keyboard.press("Escape")
    for name in ("End plan …", "Environment: closed", "Group: operators"):
        page.get_by_role("button", name=name).click()
        shown(page.locator("dialog.ask-form")).to_be_visible()
        assert violations(page, "dialog") == []
        page.keyboard.press("Escape")


def test_a_move_that_rests_on_an_old_list_says_what_has_changed(monitor: MockMonitor) -> None:
    with_kinds(monitor)
    tell(monitor, entry("a", 0.1), entry("b", 0.2), entry("c", 0.3))
    change = QueueChange(version=6, time=time.time(), by="ben", text="added ohmic", uids=("d",))

    def answer(command: AnyCommand) -> Reply:
        assert isinstance(command, QueueMove)
        if command.version == 6:
            return reply(message="1 moved")
        result = QueueRefused(
            code=RefusalCode.CHANGED, state=QueueState.IDLE, version=6, changes=(change,)
        )
        return refused("ben has changed the queue", result=msgspec.json.encode(result))

    monitor.answers["queue_move"] = answer
    page = monitor.open("#/queue")
    expect_programme(page, "0.1", "0.2", "0.3")
    page.get_by_role("grid", name="programme").focus()
    for key in ("End", " ", "Home", " "):
        page.keyboard.press(key)
    dialog = page.locator("dialog.ask")
    shown(dialog.locator("h2")).to_have_text("ben changed the queue meanwhile.")
    shown(dialog.locator("li")).to_contain_text("ben: added ohmic")
    expect_programme(page, "0.3", "0.1", "0.2")
    dialog.get_by_role("button", name="Move ohmic all the same").click()
    shown(page.locator("reply-list .reply")).to_contain_text("1 moved")
    moves = [one for one in monitor.asked if isinstance(one, QueueMove)]
    assert [(one.uids, one.before, one.version) for one in moves] == [
        (("c",), "a", 5),
        (("c",), "a", 6),
    ]
    # The mock's queue has not moved: the rows stand as it says again.
    expect_programme(page, "0.1", "0.2", "0.3")


def test_what_is_grabbed_and_taken_away_by_others_is_let_go(monitor: MockMonitor) -> None:
    with_kinds(monitor)
    tell(monitor, entry("a", 0.1), entry("b", 0.2))
    page = monitor.open("#/queue")
    expect_programme(page, "0.1", "0.2")
    page.get_by_role("grid", name="programme").focus()
    for key in ("End", " ", "Home"):
        page.keyboard.press(key)
    tell(monitor, entry("a", 0.1), version=6)
    shown(page.locator("queue-programme .unseen")).to_contain_text("no longer in the queue")
    expect_programme(page, "0.1")
    page.keyboard.press(" ")
    assert not [one for one in monitor.asked if isinstance(one, QueueMove)]


def test_ten_thousand_entries_are_few_rows(monitor: MockMonitor) -> None:
    with_kinds(monitor)
    tell(monitor, *(entry(f"u{number}", float(number)) for number in range(10_000)))
    page = monitor.open("#/queue")
    shown(page.locator("queue-programme .count").first).to_have_text("10000")
    page.get_by_role("grid", name="programme").focus()
    page.keyboard.press("End")
    shown(row(page, "current 9999 ")).to_be_visible()
    assert page.locator("queue-programme .plan-row").count() < 60
    page.keyboard.press(" ")
    page.keyboard.press("Home")
    shown(page.locator(".plan-row.moving")).to_contain_text("current 9999 ")
    page.keyboard.press(" ")
    shown(page.locator("reply-list .reply")).to_have_class(re.compile("good"))
    (move,) = (one for one in monitor.asked if isinstance(one, QueueMove))
    assert (move.uids, move.before) == (("u9999",), "u0")


def test_where_something_was_left_out_the_page_asks_for_the_whole(monitor: MockMonitor) -> None:
    with_kinds(monitor)
    tell(monitor, entry("a", 0.1))
    page = monitor.open("#/queue")
    expect_programme(page, "0.1")
    added = EntriesAdded(time=2.0, entries=(entry("b", 0.2),), at=1)
    view = monitor.view.queue.view
    monitor.lose(lambda: monitor.take(News("queue", 2.0, QueueEvent(records=(added,), queue=view))))
    expect_programme(page, "0.1")
    monitor.send({"channel": "queue", "messages": [{"command": "CUT", "seq": 1000}]})
    expect_programme(page, "0.1", "0.2")


def test_what_ended_earlier_is_asked_for(monitor: MockMonitor) -> None:
    with_kinds(monitor)
    result = {"exit_status": "completed", "began_at": 1.0, "ended_at": 2.0}
    items = tuple(
        msgspec.convert({"entry": entry(f"u{number}", number / 10), "result": result}, HistoryItem)
        for number in range(1, 4)
    )
    pages = {
        0: QueueHistoryResult(version=1, items=items[:2], next=2, total=3),
        2: QueueHistoryResult(version=1, items=items[2:], total=3),
    }

    def answer(command: AnyCommand) -> Reply:
        assert isinstance(command, QueueHistory)
        return reply(result=msgspec.json.encode(pages[command.since]))

    monitor.answers["queue_history"] = answer
    tell(monitor, history=items[2:], ever=3)
    page = monitor.open("#/queue")
    rows = page.locator("queue-history .history-row:not([hidden])")
    shown(rows).to_have_count(1)
    page.get_by_role("button", name="2 earlier ones").click()
    shown(rows).to_have_count(3)
    shown(rows.first).to_contain_text("current 0.3")
    shown(page.get_by_role("button", name="earlier ones")).to_have_count(0)


def test_texts_are_text(monitor: MockMonitor) -> None:
    evil = "<img src=x onerror=window.hacked=1>"
    with_kinds(monitor)
    item = entry("a", 0.1, user=evil)
    tell(
        monitor,
        msgspec.convert(
            json.loads(msgspec.json.encode(item)) | {"held": evil, "state": "held"}, Entry
        ),
        held=1,
        text=evil,
        lock=QueueLockView(user=evil, note=evil, queue=True, time=1.0),
    )
    page = monitor.open("#/queue")
    shown(page.locator(".queue-text")).to_have_text(evil)
    shown(page.locator(".queue-note.held")).to_contain_text(evil)
    assert page.evaluate("[window.hacked, document.querySelectorAll('img').length]") == [None, 0]
