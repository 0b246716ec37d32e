"""What has failed is seen: first, whole, large enough on the wall, and in a timeline of many."""

import pytest
from playwright.sync_api import Page
from tests.support.browser import row, rows, shown
from tests.support.mock_monitor import MockMonitor
from tests.support.shot_page import LONG_NAME, LONG_REASON, large_shot, many_servers

FAILED = [LONG_NAME, "GAS:VALVE_3", "CAMERA:ARM"]
# 55 inches at 1920 x 1080: a pixel is 0.634 mm. 1/200 of 3 m is 15 mm, or 23.65 pixels.
LETTER_PX = 23.65
CAPITALS = """(elements) => elements.map((element) => {
    const { fontWeight, fontSize, fontFamily } = getComputedStyle(element);
    const context = document.createElement('canvas').getContext('2d');
    context.font = `${fontWeight} ${fontSize} ${fontFamily}`;
    return context.measureText('H').actualBoundingBoxAscent;
})"""
CUT = """(elements) => elements.filter((one) => one.scrollHeight > one.clientHeight + 1
    || one.scrollWidth > one.clientWidth + 1).map((one) => one.textContent)"""


def address(page: Page) -> str:
    return str(page.evaluate("window.location.hash"))


@pytest.mark.parametrize("table", ["active", "all"])
@pytest.mark.parametrize("sort", ["", "&active.sort=-node&all.sort=-node"])
def test_failures_of_an_earlier_phase_are_on_top(
    monitor: MockMonitor, table: str, sort: str
) -> None:
    large_shot(monitor)
    page = monitor.open(f"#/actions?show={table}{sort}")
    shown(row(page, "CAMERA:ARM", table)).to_be_visible()
    assert {cells[3] for cells in rows(page, table)[:3]} == set(FAILED)


def test_the_wall_is_read_from_three_metres(monitor: MockMonitor) -> None:
    large_shot(monitor)
    page = monitor.open("?wall#/actions", monitor.new_page(1920, 1080))
    failed = page.locator(".wall-row.failed")
    shown(failed).to_have_count(3)
    assert page.locator(".wall-row b").all_inner_texts()[:3] == FAILED
    shown(page.locator(".wall-why").first).to_have_text(LONG_REASON)
    shown(page.locator(".wall-more")).to_contain_text("pending")
    for what in (".wall-row b", ".wall-why", ".wall-state", ".run-shot", ".chip b", ".wall-more"):
        letters = page.locator(f"{what}:visible").evaluate_all(CAPITALS)
        assert letters
        assert min(letters) >= LETTER_PX, what
    assert page.locator(".wall-row b, .wall-why").evaluate_all(CUT) == []
    shown(page.locator("main button:visible").get_by_text("Abort run")).to_have_count(0)


@pytest.mark.parametrize(("width", "height"), [(1024, 768), (390, 844)])
def test_names_and_reasons_are_whole_where_there_is_little_room(
    monitor: MockMonitor, width: int, height: int
) -> None:
    large_shot(monitor)
    page = monitor.open("#/actions?show=all", monitor.new_page(width, height))
    first = row(page, "CAMERA:ARM")
    shown(first).to_be_visible()
    texts = page.locator("#all .row:not([hidden]) .c-node").all_inner_texts()
    assert LONG_NAME in texts
    shown(page.locator("#all .c-reason").get_by_text(LONG_REASON)).to_be_visible()
    cells = page.locator("#all .row:not([hidden]) :is(.c-node, .c-reason, .c-state)")
    assert cells.evaluate_all(CUT) == []
    shown(first.locator(".c-state")).to_contain_text("Failure")
    if width < 720:
        shown(first.get_by_role("button", name="Dispatch")).to_have_count(0)
        first.locator(".c-state").click()
        shown(first.get_by_role("button", name="Dispatch")).to_be_visible()


def test_in_a_timeline_of_many_failures_stand_out(monitor: MockMonitor) -> None:
    large_shot(monitor)
    many_servers(monitor)
    page = monitor.open("#/timeline?range=shot")
    below = page.locator(".more-lanes.below")
    shown(below).to_contain_text("failed")
    shown(page.locator("tab-timeline .failed-list li")).to_have_count(3)
    widths = page.locator("tab-timeline .phase-bar").first.evaluate(
        "(bar) => bar.querySelector('.part.red').getBoundingClientRect().width"
    )
    assert widths >= 6
    page.locator("tab-timeline .failed-list a").last.click()
    shown(page.locator("tab-timeline .timeline-side h2").nth(1)).to_have_text("CAMERA:ARM")
    bar = page.evaluate("document.querySelector('tab-timeline').barAt('CAMERA:ARM')")
    assert bar is not None, "its lane has come into sight"
    assert bar["width"] >= 8
    page.locator("#which-lanes").select_option("failed")
    shown(page.locator(".more-lanes:visible")).to_have_count(0)
    page.locator("#lanes").fill("DAQ")
    page.get_by_role("button", name="As a table").click()
    shown(page.locator(".timeline-text-row.red:not([hidden])")).to_have_count(1)
    page.wait_for_function("() => window.location.hash.includes('as=table')")
    for part in ("range=shot", "lanes=failed", "find=DAQ", "at=CAMERA"):
        assert part in address(page)


def test_what_is_looked_at_is_there_again_after_a_reload(monitor: MockMonitor) -> None:
    large_shot(monitor)
    page = monitor.open("#/actions?show=all")
    page.locator("#all").get_by_label("filter Phase").fill("INIT")
    page.locator("#all").get_by_role("button", name="Node", exact=True).click()
    page.locator("tab-actions .chip[data-category=failed]").click()
    row(page, "CAMERA:ARM").click()
    page.wait_for_function("() => window.location.hash.includes('at=CAMERA')")
    before = [cells[3] for cells in rows(page)]
    page.reload()
    shown(row(page, "CAMERA:ARM")).to_have_class("grid-row row red failed cursor")
    assert [cells[3] for cells in rows(page)] == before == ["CAMERA:ARM", LONG_NAME, "GAS:VALVE_3"]
    assert page.locator("#all").get_by_label("filter Phase").input_value() == "INIT"
    link = row(page, "GAS:VALVE_3").locator("a").get_attribute("href")
    assert link is not None
    assert "tree=DEMO&shot=7&at=GAS%3AVALVE_3" in link


def test_the_log_wraps_on_a_telephone_and_stands_in_the_address(monitor: MockMonitor) -> None:
    monitor.log("short", level="info", source="broker")
    monitor.log(f"DEMO/7: {LONG_NAME} on DAQ:1: {LONG_REASON}", level="error", source="dispatcher")
    page = monitor.open("#/log?level=error&of=DEMO/7", monitor.new_page(390, 844))
    line = page.locator(".log-line:not([hidden])")
    shown(line).to_have_count(1)
    assert line.locator(".text").evaluate_all(CUT) == []
    assert line.evaluate("(one) => one.scrollHeight <= one.clientHeight + 1")
    page.locator("#log-level").select_option("info")
    page.locator("#log-shot").fill("")
    shown(line).to_have_count(2)
    page.locator("#log-source").select_option("broker")
    page.wait_for_function("() => window.location.hash === '#/log?from=broker'")
    page.locator("#log-source").select_option("")
    page.locator("#log-server").fill("DAQ:1")
    shown(line).to_have_count(1)
