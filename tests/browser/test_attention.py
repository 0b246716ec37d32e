"""What needs somebody's attention is seen at once, without looking for it."""

import re
import time

import msgspec
import pytest
from playwright.sync_api import Page
from tests.support.browser import count, row, shown
from tests.support.mock_monitor import MockMonitor, action, server

from shotline.client.observer import FeedStopped, News
from shotline.common.actions import ActionState, Cause, Status
from shotline.common.machine import Instant
from shotline.common.records import Counts, SourceSeen
from shotline.common.views import FeedBeat, LogEvent, RunView

DOING = {"attempt": 1, "server": "A:1"}
GOOD = {"status": Status.SUCCESS, "cause": Cause.RESULT, "attempt": 1, "server": "A:1"}


def run_of(outcome: str | None, **counts: int) -> RunView:
    return msgspec.convert(
        {"tree": "T", "shot": 1, "run": 1, "kind": "phase", "phase": "INIT", "opened_at": 1.0}
        | {"state": "ended" if outcome else "open", "outcome": outcome, "counts": Counts(**counts)},
        RunView,
    )


def banner(page: Page) -> Page:
    return page.locator("page-banners .banner:visible")


@pytest.mark.parametrize(
    ("run", "words", "look"),
    [
        (run_of("completed", success=2), "completed", "completed"),
        (run_of("completed", success=1, failed=2), "completed, 2 failed", "failed"),
        (run_of("completed", server_off=1), "completed, 1 failed", "failed"),
        (run_of("aborted", failed=2), "aborted", "aborted"),
    ],
)
def test_a_run_in_which_something_failed_is_not_green(
    monitor: MockMonitor, run: RunView, words: str, look: str
) -> None:
    monitor.shot("T", 1, action("ONE"), runs=(run,))
    state = monitor.open().locator("tab-actions .run-state")
    shown(state).to_have_text(words)
    shown(state).to_have_class(f"run-state {look}")


def test_an_unknown_outcome_has_a_mark_that_no_width_cuts(monitor: MockMonitor) -> None:
    lost = {"cause": Cause.SERVER_LOST, "attempt": 1, "server": "A:1", "outcome_unknown": True}
    monitor.shot("T", 1, action("ONE", ActionState.ABORTED, **lost), action("TWO"))
    page = monitor.open("#/actions?show=all", monitor.new_page(width=700))
    mark = row(page, "ONE").locator(".unknown")
    shown(mark).to_be_visible()
    assert row(page, "TWO").locator(".unknown").is_hidden()
    assert mark.evaluate("one => one.scrollWidth <= one.clientWidth")
    right_edge = "one => one.getBoundingClientRect().right"
    assert mark.evaluate(right_edge) <= mark.locator("..").evaluate(right_edge)


def test_a_silent_server_is_named_at_the_action_at_once(monitor: MockMonitor) -> None:
    monitor.shot("T", 1, action("ONE", ActionState.DOING, **DOING), action("TWO"))
    monitor.servers(server("A:1"))
    page = monitor.open("#/actions?show=all")
    monitor.servers(server("A:1", "suspect", last_seen_at=time.time() - 5.0))
    shown(row(page, "ONE").locator(".c-reason")).to_contain_text("A:1 silent for ")
    assert "silent" not in row(page, "TWO").inner_text()
    monitor.servers(server("A:1"))
    shown(row(page, "ONE").locator(".c-reason")).to_have_text("")


def test_an_older_shot_says_so_and_leads_to_the_current_one(monitor: MockMonitor) -> None:
    monitor.shot("T", 1, action("ONE"))
    monitor.shot("T", 2, action("ONE"), built_at=2.0)
    page = monitor.open("#/actions?tree=T&shot=1&show=all")
    shown(banner(page)).to_contain_text("You are looking at T/1; the current pulse is T/2.")
    banner(page).get_by_role("button", name="Show T/2").click()
    shown(row(page, "ONE").locator(".c-shot")).to_have_text("2")
    shown(banner(page)).to_have_count(0)


def test_the_banner_says_who_is_away_what_still_runs_and_what_helps(monitor: MockMonitor) -> None:
    monitor.shot("T", 1, action("ONE", ActionState.DOING, **DOING), action("TWO"))
    page = monitor.open("#/actions?show=all")
    shown(banner(page)).to_have_count(0)
    now = Instant(time.monotonic(), time.time())
    monitor.take(News("feed", time.time(), FeedBeat(last={}, journal="degraded")))
    shown(banner(page)).to_contain_text("Redis is away.")
    monitor.take(FeedStopped("servers", 0.0))
    monitor.carry_out(monitor.view.nobody(now, "broker"))
    shown(banner(page)).to_contain_text("The broker is away since")
    shown(banner(page)).to_contain_text("Running on in their servers: ONE.")
    shown(banner(page).locator("code")).to_contain_text("systemctl restart shotline-broker")
    shown(page.locator("body")).to_have_class(re.compile(r"\bstale\b"))
    monitor.carry_out(monitor.view.nobody(now, "dispatcher"))
    shown(banner(page)).to_contain_text("The dispatcher is away since")
    monitor.leave()
    shown(banner(page)).to_contain_text("The monitor is away since")


def test_a_failed_action_is_an_error_in_the_log_that_leads_to_its_output(
    monitor: MockMonitor,
) -> None:
    page = monitor.open("#/log")
    line = (time.time(), "error", "dispatcher", "T/1: ONE on A:1: Failure: it broke")
    monitor.take(News("log", 1.0, LogEvent(lines=(line,), about=("T", 1, "ONE", 1))))
    monitor.log("nothing to look at")
    lines = page.locator("tab-log .log-line")
    shown(lines).to_have_count(2)
    assert lines.nth(1).get_by_role("button").count() == 0
    with page.expect_popup() as opened:
        lines.nth(0).get_by_role("button", name="Output").click()
    assert "tree=T&shot=1&path=ONE" in opened.value.url


def test_shortcuts_work_whatever_has_the_focus(monitor: MockMonitor) -> None:
    monitor.shot("T", 1, action("ONE"), action("TWO"))
    page = monitor.open("#/actions?show=all")
    page.get_by_role("button", name="Keys").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    shown(row(page, "TWO")).to_have_class(re.compile(r"\bblue cursor\b"))
    page.locator("#find").focus()
    page.keyboard.press("a")
    assert page.locator("#find").input_value() == "a", "in a field it is a letter"
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    shown(page.locator("dialog.ask h2")).to_have_text("Abort TWO of T/1?")


def test_a_question_about_several_is_answered_no_by_enter(monitor: MockMonitor) -> None:
    monitor.shot("T", 1, action("ONE"), action("TWO"))
    page = monitor.open("#/actions?show=all")
    for name in ("ONE", "TWO"):
        row(page, name).locator("input").check()
    page.keyboard.press("d")
    shown(page.locator("dialog.ask button:focus")).to_have_text("Cancel")
    page.keyboard.press("Enter")
    shown(page.locator("dialog.ask")).to_have_count(0)
    assert monitor.asked == []
    assert count(page, "total").inner_text() == "2"


def test_a_changed_source_of_the_tables_has_a_banner(monitor: MockMonitor) -> None:
    text = "the file x.yaml has changed <b>since</b>; `shotline build-tables T 1` reads it again"
    monitor.shot("T", 1, action("ONE"))
    page = monitor.open()
    shown(row(page, "ONE")).to_be_visible()
    assert banner(page).count() == 0
    monitor.tell("T", 1, SourceSeen(time=2.0, changed=text))
    shown(banner(page)).to_have_text(text)
    monitor.tell("T", 1, SourceSeen(time=3.0))
    shown(banner(page)).to_have_count(0)
    monitor.shot("T", 1, action("ONE"), source_changed=text)
    shown(banner(page)).to_have_text(text)
    monitor.shot("T", 1, action("ONE"), built_at=4.0)
    shown(banner(page)).to_have_count(0)
