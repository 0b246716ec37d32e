"""The demo's shot, driven and watched in the browser from start to end."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page
from tests.support.browser import Browser, confirm, count, fill, live, reply, row, rows, shown
from tests.support.monitor import with_monitor
from tests.support.stack import Stack

from shotline.common.settings.config import packaged

SERVERS = ("CONTROL:1*2", "HEATING:1*2", "DAQ:1", "DAQ:2", "DAQ:3")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    demo = Path(str(packaged("experiments/demo.yaml")))
    with with_monitor(tmp_path_factory.mktemp("shot"), SERVERS, {"DEMO": demo}) as running:
        yield running


def phase_done(page: Page, phase: str) -> None:
    shown(page.locator("main > :not([hidden]) .run-what")).to_contain_text(phase)
    shown(page.locator("main > :not([hidden]) .run-state")).to_have_text(re.compile("^completed"))


def test_a_whole_shot_is_driven_and_watched(stack: Stack, browser: Browser) -> None:
    page = browser.open(stack, "#/actions?show=both")
    timeline = browser.open(stack, "#/timeline?tree=DEMO")
    fill(page, "#experiment", "demo")
    fill(page, "#shot", "1")
    page.get_by_role("button", name="Create Pulse").click()
    shown(reply(page, "Create Pulse DEMO/1")).to_have_class(re.compile("good"))
    page.get_by_role("button", name="Build Table").click()
    shown(count(page, "total")).to_have_text("27")
    assert "tree=DEMO" in page.url
    assert "shot=1" in page.url
    offered = page.locator("#phases option").evaluate_all("(all) => all.map((one) => one.value)")
    assert offered == ["INIT", "PULSE", "STORE"]

    for phase in ("INIT", "PULSE", "STORE"):
        fill(page, "#phase", phase)
        page.locator(".drive").get_by_role("button", name="Dispatch").click()
        phase_done(page, phase)
        phase_done(timeline, phase)

    shown(count(page, "success")).to_have_text("24")
    shown(count(page, "failed")).to_have_text("1")
    shown(count(page, "not_dispatched")).to_have_text("2")
    first = rows(page)[0]
    assert first[3:6] == ["CAMERA:ARM", "✗DONE", "Failure"]
    assert "camera" in first[-1].lower()
    active = [(cells[6], cells[3]) for cells in rows(page, "active")]
    # What has failed earlier stays in sight.
    assert [name for phase, name in active if phase != "STORE"] == ["CAMERA:ARM"]

    bars = timeline.locator("tab-timeline").evaluate(
        """(tab, names) => names.map((name) => {
            const row = tab.app.shot.rows.find((one) => one.view.name === name);
            return tab.barAt(row.path);
        })""",
        ["ANALYSIS:ENERGY", "REPORT"],
    )
    energy, report = bars
    assert report["x"] >= energy["x"] + energy["width"] - 1, "the report waits for the analysis"
    timeline.mouse.click(report["x"] + report["width"] / 2, report["y"] + report["height"] / 2)
    shown(timeline.locator(".facts")).to_contain_text("✓ ANALYSIS:ENERGY")
    last = timeline.locator("tab-timeline").evaluate(
        """(tab) => tab.app.shot.rows.filter((one) => one.last.run === 3)
            .reduce((a, b) => (a.last.ended_at > b.last.ended_at ? a : b)).view.name"""
    )
    shown(timeline.locator(".critical-list li button").last).to_have_text(last)
    timeline.mouse.move(energy["x"] + energy["width"] / 2, energy["y"] + energy["height"] / 2)
    shown(timeline.locator(".hover")).to_contain_text("ANALYSIS:ENERGY")

    timeline.locator("a[data-tab=actions]").click()
    shown(timeline.locator("#active .row.cursor .c-node")).to_have_text("REPORT")


def test_a_late_second_browser_sees_the_same(stack: Stack, browser: Browser) -> None:
    first = browser.open(stack, "#/actions?show=all&tree=DEMO&shot=2")
    shown(first.locator("#all .empty")).to_contain_text("nothing is known of DEMO/2")
    fill(first, "#experiment", "DEMO")
    fill(first, "#shot", "2")
    first.get_by_role("button", name="Create Pulse").click()
    shown(reply(first, "Create Pulse DEMO/2")).to_have_class(re.compile("good"))
    first.get_by_role("button", name="Build Table").click()
    shown(count(first, "total")).to_have_text("27")
    fill(first, "#phase", "INIT")
    first.locator(".drive").get_by_role("button", name="Dispatch").click()
    shown(row(first, "NBI:CONDITION")).to_contain_text("DOING")
    second = browser.open(stack, "#/actions?show=all&tree=DEMO&shot=2")
    phase_done(first, "INIT")
    phase_done(second, "INIT")
    third = browser.open(stack, "#/actions?show=all&tree=DEMO")
    phase_done(third, "INIT")
    assert rows(first) == rows(second) == rows(third)
    assert len(rows(first)) > 20


def test_a_pulse_that_exists_is_replaced_only_when_somebody_says_so(
    stack: Stack, browser: Browser
) -> None:
    page = browser.open(stack)
    for answer in ("no", "yes"):
        fill(page, "#experiment", "DEMO")
        fill(page, "#shot", "3")
        page.get_by_role("button", name="Create Pulse").click()
        if answer == "no":
            shown(reply(page, "Create Pulse DEMO/3")).to_have_class(re.compile("good"))
    confirm(page, "Create Pulse DEMO/3?")
    shown(page.locator("reply-list .reply.good")).to_have_count(2)


def test_a_wrong_phase_is_refused_with_the_names_there_are(stack: Stack, browser: Browser) -> None:
    page = browser.open(stack)
    fill(page, "#experiment", "DEMO")
    fill(page, "#shot", "4")
    page.get_by_role("button", name="Create Pulse").click()
    shown(reply(page, "Create Pulse DEMO/4")).to_have_class(re.compile("good"))
    page.get_by_role("button", name="Build Table").click()
    shown(reply(page, "Build Table DEMO/4")).to_have_class(re.compile("good"))
    fill(page, "#phase", "init")
    page.locator(".drive").get_by_role("button", name="Dispatch").click()
    shown(reply(page, "Dispatch init")).to_contain_text("INIT")
    shown(reply(page, "Dispatch init")).to_have_class(re.compile("bad"))


def test_a_custom_command_shows_its_reply(stack: Stack, browser: Browser) -> None:
    page = browser.open(stack)
    page.locator("#command").fill("servers")
    page.locator("#command").press("Enter")
    shown(page.locator(".command-reply header")).to_contain_text("exit code 0")
    shown(page.locator(".command-reply pre")).to_contain_text("HEATING:1")
    page.locator("#command").fill("no-such-command")
    page.locator("#command").press("Enter")
    shown(page.locator("tab-actions .command-reply .bad")).to_be_visible()


def test_the_tabs_keep_their_address_and_obey_keys(stack: Stack, browser: Browser) -> None:
    page = browser.open(stack, "#/servers")
    shown(page.locator("tab-servers tbody tr")).to_have_count(5)
    page.keyboard.press("2")
    shown(page.locator("tab-timeline")).to_be_visible()
    page.reload()
    live(page)
    assert page.url.endswith("#/timeline")
    page.go_back()
    shown(page.locator("tab-servers")).to_be_visible()
    page.keyboard.press("4")
    shown(page.locator("fleet-table .grid-row:not([hidden])")).to_have_count(5)
    page.locator("a[data-view=heartbeat]").click()
    shown(page.locator("tab-heartbeat tbody tr")).to_have_count(5)
    shown(page.locator("tab-heartbeat tbody tr").first).to_contain_text(re.compile(r"\d+\.\d ms"))
    page.keyboard.press("7")
    page.locator("#test-text").fill("is anybody there?")
    page.locator("#test-text").press("Enter")
    shown(page.locator(".log-line:not([hidden])").last).to_contain_text("is anybody there?")
    page.locator("#log-find").fill("nobody wrote this")
    shown(page.locator(".log-line:not([hidden])")).to_have_count(0)


def test_small_screens_show_what_matters(stack: Stack, browser: Browser) -> None:
    for width, height in ((1024, 768), (390, 800)):
        page = browser.open(stack, "#/actions?tree=DEMO&shot=1", browser.new_page(width, height))
        shown(row(page, "CAMERA:ARM", "active")).to_be_visible()
        for tab in ("actions", "timeline", "fleet", "servers", "heartbeat", "log"):
            link = "view" if tab in ("servers", "heartbeat") else "tab"
            page.locator(f"a[data-{link}={tab}]").click()
            shown(page.locator(f"tab-{tab}")).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            if tab == "timeline":
                drawn = page.locator(".timeline-canvas").bounding_box()
                assert drawn is not None
                assert drawn["height"] > height / 4
            if tab == "servers":
                kill = page.locator("tab-servers tbody tr").last.get_by_role("button", name="Kill")
                box = kill.bounding_box()
                assert box is not None
                assert box["x"] + box["width"] <= width


def test_the_wall_has_no_buttons(stack: Stack, browser: Browser) -> None:
    page = browser.open(stack, "?wall#/actions?tree=DEMO&shot=1")
    shown(page.locator(".wall-row").get_by_text("REPORT", exact=True)).to_be_visible()
    for name in ("Abort", "Dispatch", "Logs", "Create Pulse", "Abort run"):
        shown(page.locator("main button:visible").get_by_text(name, exact=True)).to_have_count(0)
