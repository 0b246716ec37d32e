"""Details of the page: sizes, filters, chips, replies, windows, themes, and what it keeps."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
from playwright.sync_api import Page
from tests.support.browser import Browser, row, shown
from tests.support.mock_monitor import ADDRESS, MockMonitor, action, refused, reply, server

from shotline.common.actions import ActionState, Cause, Status
from shotline.common.views import OutputLine
from shotline.monitor.messages import output_message, tail_message

GOOD = {"status": Status.SUCCESS, "cause": Cause.RESULT, "attempt": 1, "server": "A:1", "run": 1}
RAN = GOOD | {"started_at": 1.0, "ended_at": 2.47, "duration_s": 1.4700000286102295}


def places(page: Page) -> list[tuple[float, float]]:
    """Return where the rows of the table All begin and end, from the top."""
    found = page.locator("#all .row:not([hidden])").evaluate_all(
        "(all) => all.map((one) => one.getBoundingClientRect()).map((box) => [box.top, box.bottom])"
    )
    return sorted((float(top), float(bottom)) for top, bottom in found)


@pytest.mark.parametrize("size", [(900, 900), (2600, 1600)], ids=["small", "large"])
def test_rows_do_not_overlap_after_a_resize_on_another_tab(
    monitor: MockMonitor, size: tuple[int, int]
) -> None:
    monitor.shot("T", 1, *(action(f"A{number}") for number in range(5)))
    page = monitor.open("#/actions?show=all")
    shown(page.locator("#all .row:not([hidden])")).to_have_count(5)
    page.locator("a[data-tab=fleet]").click()
    shown(page.locator("fleet-table")).to_be_visible()
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.evaluate("document.documentElement.style.fontSize = '24px'")
    page.evaluate("window.dispatchEvent(new Event('resize'))")
    page.locator("a[data-tab=actions]").click()
    shown(row(page, "A4")).to_be_visible()
    found = places(page)
    assert len(found) == 5
    for (_, bottom), (top, _) in pairwise(found):
        assert abs(top - bottom) < 1.0


def test_a_duration_is_found_as_it_is_shown(monitor: MockMonitor) -> None:
    monitor.shot("T", 1, action("ONE", ActionState.DONE, **RAN), action("TWO"))
    page = monitor.open("#/actions?show=all")
    shown(row(page, "ONE").locator(".c-duration")).to_have_text("1.47 s")
    for text in ("1.47 s", "=1.47", ">1.4"):
        page.locator("#all").get_by_label("filter Duration").fill(text)
        shown(page.locator("#all .row:not([hidden])")).to_have_count(1)
    page.locator("#all").get_by_label("filter Duration").fill("")
    page.locator("#find").fill("1.47 s")
    shown(page.locator("#all .row:not([hidden])")).to_have_count(1)


def test_a_chip_is_pressed_on_both_tabs_and_the_timeline_follows(monitor: MockMonitor) -> None:
    """What is not looked at is drawn faint: its bar has another colour than before."""
    monitor.shot("T", 1, action("ONE", ActionState.DONE, **RAN))
    page = monitor.open("#/timeline")
    shown(page.locator("tab-timeline")).to_be_visible()
    pixel = """() => {
        const tab = document.querySelector('tab-timeline');
        const bar = tab.barAt('ONE');
        const canvas = tab.querySelector('canvas');
        const box = canvas.getBoundingClientRect();
        if (!bar || !box.width) return '';
        const ratio = canvas.width / box.width;
        const x = (bar.x - box.x + bar.width / 2) * ratio;
        const y = (bar.y - box.y + bar.height - 2) * ratio;
        return [...canvas.getContext('2d').getImageData(x, y, 1, 1).data].join();
    }"""
    page.wait_for_function(f"({pixel})() !== ''")
    before = page.evaluate(pixel)
    page.locator("tab-timeline .chip[data-category=failed]").click()
    page.wait_for_function(f"(before) => ({pixel})() !== before", arg=before)
    page.locator("a[data-tab=actions]").click()
    pressed = page.locator("tab-actions .chip[aria-pressed=true]")
    shown(pressed).to_have_count(1)
    assert pressed.get_attribute("data-category") == "failed"
    page.locator("tab-actions .chip[data-category=failed]").click()
    page.locator("a[data-tab=timeline]").click()
    page.wait_for_function(f"(before) => ({pixel})() === before", arg=before)


def test_what_was_done_makes_room_for_what_has_failed(monitor: MockMonitor) -> None:
    monitor.shot("T", 1, action("ONE"))
    page = monitor.open("#/actions?show=all")
    monitor.answers["build_tables"] = refused("no such tree")
    build = page.locator(".drive").get_by_role("button", name="Build Table")
    build.click()
    shown(page.locator(".reply.bad")).to_have_count(1)
    monitor.answers["build_tables"] = reply(message="built")
    for _ in range(8):
        build.click()
    shown(page.locator(".reply.good")).to_have_count(4)
    shown(page.locator(".reply.bad")).to_contain_text("no such tree")
    monitor.answers["build_tables"] = refused("no such tree")
    for _ in range(25):
        build.click()
    shown(page.locator(".reply.bad")).to_have_count(20)
    shown(page.locator(".reply.good")).to_have_count(0)
    page.get_by_role("button", name="26 failures; close all").click()
    shown(page.locator(".reply")).to_have_count(0)


def test_l_opens_the_logs_of_all_ticked_rows(monitor: MockMonitor) -> None:
    monitor.shot("T", 1, *(action(name) for name in ("A", "B", "C")))
    page = monitor.open("#/actions?show=all")
    opened: list[str] = []
    page.expose_function("opened", lambda url: opened.append(url))  # noqa: PLW0108
    page.evaluate(
        """() => { window.open = (url) => {
            void opened(url);
            return url.includes('path=C') ? null : window;
        }; }"""
    )
    page.locator("#all").get_by_label("select all rows").check()
    page.locator("#all .table-scroll").focus()
    page.keyboard.press("l")
    shown(page.locator(".reply.bad")).to_contain_text("2 of 3 opened")
    assert [url.rpartition("path=")[2] for url in opened] == ["A", "B", "C"]


def test_a_line_of_output_that_has_not_ended_gives_way_to_what_follows(
    monitor: MockMonitor,
) -> None:
    def tell(number: int, text: str, message: Callable[[OutputLine], bytes]) -> None:
        line = OutputLine(number=number, at=1.0 + number, stream=1, text=text)
        monitor.post("T/1/ONE#1", message(line))

    def whole(line: OutputLine) -> bytes:
        return output_message(line.at, "ONE", [line])

    monitor.shot("T", 1, action("ONE", ActionState.DOING, attempt=1, server="A:1"))
    tell(0, "pressing", whole)
    page = monitor.new_page()
    page.goto(f"{ADDRESS}/static/logs.html?tree=T&shot=1&path=ONE")
    lines = page.locator(".output-line:not([hidden]) code")
    shown(lines).to_have_text(["pressing"])
    for text in ("10 %", "20 %"):
        tell(1, text, partial(tail_message, "ONE"))
        shown(lines).to_have_text(["pressing", text])
    tell(1, "pressed", whole)
    shown(lines).to_have_text(["pressing", "pressed"])


def test_a_theme_chosen_in_another_window_reaches_the_canvas(
    monitor: MockMonitor, browser: Browser
) -> None:
    monitor.shot("T", 1, action("ONE", ActionState.DONE, **RAN))
    first = monitor.open("#/timeline")
    shown(first.locator("tab-timeline")).to_be_visible()
    second = first.context.new_page()
    monitor.open("#/actions", second)
    corner = """() => [...document.querySelector('tab-timeline canvas').getContext('2d')
        .getImageData(3, 3, 1, 1).data].join()"""
    first.wait_for_function(f"({corner})() !== '0,0,0,0'")
    before = first.evaluate(corner)
    second.get_by_role("button", name="Dark / light").click()
    first.wait_for_function(f"(before) => ({corner})() !== before", arg=before)


def test_servers_that_are_gone_are_shown_no_longer(browser: Browser) -> None:
    monitor = MockMonitor(browser, servers_gone_max=0)
    monitor.servers(*(server(f"A:{number}") for number in range(3)))
    page = monitor.open("#/servers")
    shown(page.locator("tab-servers tbody tr")).to_have_count(3)
    page.locator("a[data-view=heartbeat]").click()
    shown(page.locator("tab-heartbeat tbody tr")).to_have_count(3)
    monitor.all_servers(server("A:1"))
    shown(page.locator("tab-heartbeat tbody tr")).to_have_count(1)
    page.locator("a[data-view=servers]").click()
    shown(page.locator("tab-servers tbody tr")).to_have_count(1)


def test_the_facts_of_an_action_follow_all_that_they_are_made_of(monitor: MockMonitor) -> None:
    """Also where the action itself has not changed: what it waits for, whether anyone is there."""
    monitor.shot("T", 1, action("ONE"), action("TWO", references=("ONE",), when="ONE"))
    page = monitor.open("#/actions?show=all")
    row(page, "TWO").locator(".c-node").click()
    page.locator("a[data-tab=timeline]").click()
    facts = page.locator("tab-timeline .facts")
    shown(facts).to_contain_text("· ONE")
    monitor.change("T", 1, "ONE", ActionState.DONE, **GOOD)
    shown(facts).to_contain_text("✓ ONE")
    disabled = page.locator("tab-timeline .fact-buttons button:disabled")
    shown(disabled).to_have_count(0)
    monitor.leave()
    shown(disabled).to_have_count(2)
