"""The page by itself: what it shows of what a monitor tells, and what it asks for."""

from tests.support.browser import count, row, shown
from tests.support.mock_monitor import MockMonitor, action, server

from shotline.common.actions import ActionState, Cause, Status
from shotline.common.commands import DispatchAction

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
    shown(page.locator("tr[data-server='A:1']")).to_contain_text("0 of 2, 1 BROKEN")
    shown(page.locator("tr[data-server='A:1']")).to_contain_text(trouble)
    monitor.servers(server("A:1", slots=2))
    shown(page.locator("tr[data-server='A:1']")).to_contain_text("0 of 2idle")
