"""What is live is live: dead connections, a monitor's next life, clocks, output that comes late."""

import time

from playwright.sync_api import Page
from tests.support.browser import live, row, shown
from tests.support.mock_monitor import ADDRESS, MockMonitor, action, reply

from shotline.client.observer import News
from shotline.common.actions import ActionState
from shotline.common.commands import AnyCommand, Logs
from shotline.common.messages import Reply
from shotline.common.views import LogEvent, LogsResult, OutputLine, encode_result

STATE = "connection-state .state-text"


def timed(monitor: MockMonitor, address: str = "#/actions?show=all") -> Page:
    """Return a live page whose time the test passes."""
    page = monitor.new_page()
    page.clock.install()
    return monitor.open(address, page)


def ahead_s(page: Page) -> float:
    """Return how far the page's idea of the machines' clock is before the browser's."""
    found = page.evaluate("document.querySelector('tab-actions').app.now() - Date.now() / 1000")
    assert isinstance(found, float | int)
    return found


def test_a_dead_websocket_shows_as_such_though_http_answers(monitor: MockMonitor) -> None:
    monitor.shot("T", 1, action("ONE"))
    page = timed(monitor)
    monitor.mute = True
    page.clock.fast_forward(5000)  # it asks
    page.clock.fast_forward(5000)  # and has no answer
    shown(page.locator(STATE)).to_contain_text("no connection to the monitor")
    assert page.evaluate("fetch('/healthz').then((answer) => answer.status)") == 200
    shown(page.locator("body.stale")).to_have_count(1)
    monitor.mute = False
    page.clock.fast_forward(5000)
    live(page)
    monitor.change("T", 1, "ONE", ActionState.DOING, attempt=1, server="A:1")
    shown(row(page, "ONE")).to_contain_text("DOING")


def test_silence_is_no_death_where_the_monitor_answers(monitor: MockMonitor) -> None:
    monitor.shot("T", 1, action("ONE"))
    page = timed(monitor)
    before = monitor.pings
    for _ in range(6):
        page.clock.run_for(3000)
    live(page)
    assert monitor.pings >= before + 3
    assert monitor.connections == 1


def test_after_a_restart_of_the_monitor_the_log_shows_its_new_lines(monitor: MockMonitor) -> None:
    for number in range(5):
        monitor.log(f"old {number}")
    page = monitor.open("#/log")
    lines = page.locator(".log-line:not([hidden]) .text")
    shown(lines).to_have_count(5)
    monitor.restart()
    monitor.log("new 0")
    shown(lines).to_have_count(1)
    shown(lines).to_have_text("new 0")
    for number in range(1, 5):
        monitor.log(f"new {number}")
    shown(lines).to_have_count(5)
    assert sorted(lines.all_inner_texts()) == [f"new {number}" for number in range(5)]


def test_the_clock_is_that_of_the_present_not_of_what_is_told_again(
    monitor: MockMonitor,
) -> None:
    hour_ago = (time.time() - 3600.0, "info", "broker", "old news")
    monitor.take(News("log", hour_ago[0], LogEvent(lines=(hour_ago,))))
    monitor.shot("T", 1, action("ONE"))
    page = monitor.open()
    assert abs(ahead_s(page)) < 5.0
    monitor.cut()
    shown(page.locator(STATE)).to_contain_text("no connection")
    live(page)
    assert abs(ahead_s(page)) < 5.0


def test_ages_are_told_by_the_machines_clock(monitor: MockMonitor) -> None:
    monitor.ahead_s = 500.0
    monitor.shot("T", 1, action("ONE"))
    page = monitor.open()
    page.wait_for_function(
        "document.querySelector('tab-actions').app.now() > Date.now() / 1000 + 400"
    )
    assert abs(ahead_s(page) - 500.0) < 5.0


def stored(command: AnyCommand) -> Reply:
    assert isinstance(command, Logs)
    attempt = command.attempt or 1
    line = OutputLine(number=0, at=1.0, stream=1, text=f"of attempt {attempt}")
    found = LogsResult(path="ONE", attempt=attempt, attempts=(1, 2), lines=(line,))
    return reply(result=encode_result(found))


def test_the_output_of_two_attempts_is_never_mixed(monitor: MockMonitor) -> None:
    """A new attempt begins while the output of the last one is still fetched."""
    monitor.answers["logs"] = stored
    monitor.shot("T", 1, action("ONE", ActionState.ABORTED, attempt=1, server="A:1"))
    monitor.hold("logs")
    page = monitor.new_page()
    with page.expect_request("**/api/logs?*attempt=1*"):
        page.goto(f"{ADDRESS}/static/logs.html?tree=T&shot=1&path=ONE")
    with page.expect_request("**/api/logs?*attempt=2*"):
        monitor.change("T", 1, "ONE", ActionState.DOING, attempt=2, server="A:1")
    monitor.release("logs")
    lines = page.locator(".output-line:not([hidden]) code")
    shown(lines).to_have_text("of attempt 2")
    shown(page.locator("#attempt")).to_have_text("2, the last1")
    page.locator("#attempt").select_option("1")
    shown(lines).to_have_text("of attempt 1")
    shown(page.locator(".log-state")).to_have_text("attempt 1")
