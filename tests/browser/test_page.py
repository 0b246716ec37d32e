"""The page by itself: what it shows of what a monitor tells, and what it asks for."""

import time

from tests.support.browser import count, row, shown
from tests.support.mock_monitor import MockMonitor, action, server

from shotline.common.actions import ActionState, Cause, Status
from shotline.common.commands import DispatchAction
from shotline.common.records import RunKind, RunOpened
from shotline.monitor.messages import counts_message, plain

FAILED = {"status": Status.FAILURE, "cause": Cause.RESULT, "attempt": 1, "server": "A:1"}


def test_changes_are_shown_and_buttons_ask_for_what_they_say(monitor: MockMonitor) -> None:
    monitor.shot("T", 1, action("ONE"), action("TWO"))
    page = monitor.open("#/actions?show=all")
    monitor.change("T", 1, "ONE", ActionState.DOING, attempt=1, server="A:1")
    shown(row(page, "ONE")).to_contain_text("DOING")
    monitor.change("T", 1, "ONE", ActionState.DONE, **FAILED)
    shown(row(page, "ONE")).to_contain_text("Failure")
    shown(count(page, "failed")).to_have_text("1")
    row(page, "ONE").get_by_role("button", name="Dispatch").click()
    shown(page.locator("reply-list .reply")).to_contain_text("Dispatch ONE")
    assert monitor.asked == [DispatchAction(tree="T", shot=1, path="ONE", careful=True)]


def test_a_server_whose_workers_do_not_start_says_why_in_its_row(monitor: MockMonitor) -> None:
    monitor.shot("T", 1, action("ONE"))
    page = monitor.open("#/servers")
    trouble = "worker process 0 does not start: it exited with code 1: ImportError: no gas"
    monitor.servers(server("A:1", slots=2, broken=1, trouble=trouble), server("A:2", slots=2))
    shown(page.locator("tr[data-key='A:1']")).to_contain_text("0 of 2, 1 BROKEN")
    shown(page.locator("tr[data-key='A:1']")).to_contain_text(trouble)
    monitor.servers(server("A:1", slots=2))
    shown(page.locator("tr[data-key='A:1']")).to_contain_text("0 of 2idle")


def test_a_run_leaves_what_is_off_as_it_is(monitor: MockMonitor) -> None:
    off = action("OFF", cause=Cause.OFF, on=False, never=Cause.OFF)
    monitor.shot("T", 1, action("ONE", ActionState.DONE, **FAILED), off, action("TWO"))
    page = monitor.open("#/actions?show=all")
    opened = RunOpened(
        time=2.0, run=1, kind=RunKind.SEQUENCE, phase="INIT", first=1, last=2, paths=("ONE", "OFF")
    )
    monitor.tell("T", 1, opened)
    shown(row(page, "ONE").locator(".c-status")).to_have_text("")
    shown(row(page, "OFF").locator(".c-status")).to_have_text("off")
    shown(count(page, "pending")).to_have_text("2")
    shown(count(page, "not_dispatched")).to_have_text("1")
    shown(count(page, "failed")).to_have_text("0")
    page.reload()
    shown(row(page, "OFF").locator(".c-status")).to_have_text("off")
    shown(count(page, "pending")).to_have_text("2")


def test_counts_are_the_monitors(monitor: MockMonitor) -> None:
    """The page does not count again what the monitor has counted."""
    monitor.shot("T", 1, action("ONE"), action("TWO"))
    page = monitor.open("#/actions?show=all")
    monitor.post("T/1", counts_message(2.0, "INIT", {"failed": 7, "success": 1}))
    shown(count(page, "failed")).to_have_text("7")
    shown(count(page, "success")).to_have_text("1")
    shown(count(page, "total")).to_have_text("8")


def test_what_is_slow_and_what_limits_the_phase_is_the_monitors_word(
    monitor: MockMonitor,
) -> None:
    """An action that waits at its server for long is not slow; what the monitor names is."""
    now = time.time()
    ran = {"status": Status.SUCCESS, "cause": Cause.RESULT, "server": "A:1", "duration_s": 1.0}
    ended = {"started_at": now - 9.0, "ended_at": now - 8.0, "run": 1, "attempt": 1}
    waits = {"dispatched_at": now - 60.0, "server": "A:2", "run": 1, "attempt": 1}
    monitor.shot(
        "T",
        1,
        action("RAN", ActionState.DONE, **ran, **ended),
        action("WAITS", ActionState.DISPATCHED, **waits),
    )
    page = monitor.open("#/timeline")
    shown(page.locator(".slow-list")).to_have_text("none")
    shown(page.locator(".critical-list")).to_have_text("not known yet")
    monitor.post("T/1", plain("MEDIANS", now, {"medians": {"RAN": 0.5, "WAITS": 0.5}}))
    limits = {"run": 1, "critical": ["RAN", "WAITS"], "slow": ["RAN"]}
    monitor.post("T/1", plain("LIMITS", now, limits))
    shown(page.locator(".slow-list li")).to_have_text("RAN▲ 2.0× its usual 0.50 s")
    shown(page.locator(".critical-list li")).to_have_count(2)
