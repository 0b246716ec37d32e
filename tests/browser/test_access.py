"""The page for everybody: what axe-core finds, the keyboard, what is said aloud, what moves."""

import pytest
from playwright.sync_api import Page
from tests.support.axe import needs_axe, violations
from tests.support.browser import Browser, row, shown
from tests.support.mock_monitor import MockMonitor, action, refused
from tests.support.past_page import past
from tests.support.shot_page import all_of_it, many_servers

from shotline.common.actions import ActionState

SIZES = {"wide": (1500, 1000), "telephone": (390, 844)}


@pytest.fixture
def monitor(browser: Browser) -> MockMonitor:
    monitor = MockMonitor(browser, role="administrator")
    all_of_it(monitor, count=120)
    return monitor


def tabs(page: Page) -> list[str]:
    """Return the tabs that are shown, by their names in the address."""
    links = page.locator("nav[aria-label=tabs] a:visible")
    found = links.evaluate_all("(all) => all.map((one) => one.dataset.tab)")
    assert isinstance(found, list)
    return found


@needs_axe
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_in_any_tab(monitor: MockMonitor, size: str) -> None:
    page = monitor.open("#/actions?show=all", monitor.new_page(*SIZES[size]))
    assert violations(page) == []
    for tab in tabs(page)[1:]:
        page.locator(f"a[data-tab={tab}]").click()
        shown(page.locator(f"tab-{tab}")).to_be_visible()
        assert violations(page, f"tab-{tab}") == [], tab


@needs_axe
def test_axe_finds_nothing_in_what_is_opened(monitor: MockMonitor) -> None:
    monitor.answers["abort"] = refused("it is over")
    page = monitor.open("#/actions?show=both&at=CAMERA:ARM&only=failed")
    page.get_by_role("button", name="Keys").click()
    shown(page.locator("dialog.ask")).to_be_visible()
    assert violations(page, "dialog") == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Abort run").first.click()
    shown(page.locator("dialog.ask")).to_be_visible()
    assert violations(page, "dialog") == []
    page.locator("dialog.ask button[value=yes]").click()
    shown(page.locator("reply-list .reply")).to_be_visible()
    assert violations(page) == []
    page.goto(page.url.partition("#")[0] + "#/timeline?range=shot&as=table&at=CAMERA:ARM")
    shown(page.locator(".timeline-text-row.red").first).to_be_visible()
    assert violations(page, "main") == []
    page.goto(page.url.partition("#")[0] + "?wall#/actions")
    shown(page.locator(".wall-row.red")).to_have_count(3)
    assert violations(page) == []


@needs_axe
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_in_what_has_been(monitor: MockMonitor, size: str) -> None:
    past(monitor)
    page = monitor.open("#/shots", monitor.new_page(*SIZES[size]))
    for address, drawn in (
        ("shots", "shots-table a"),
        ("failures", "failures-table a"),
        ("search?words=damaged", "found-table a"),
        ("compare/DEMO%2F1%20DEMO%2F2", "compared-table a"),
        ("trend/DEMO%20CAMERA:ARM", ".trend-curve .bad"),
        ("shot/DEMO%2F1", ".shot-kept"),
        ("shot/DEMO%2F2", "shot-story .notes-form"),
    ):
        page.goto(page.url.partition("#")[0] + f"#/{address}")
        shown(page.locator(drawn).filter(visible=True).first).to_be_visible()
        assert violations(page, "tab-shots") == [], address
    for name in ("change note 1", "remove note 1"):
        page.get_by_role("button", name=name).click()
        shown(page.locator("dialog.ask")).to_be_visible()
        assert violations(page, "dialog") == [], name
        page.keyboard.press("Escape")


ANNOUNCED = """([where, text]) => {
    const grid = document.activeElement;
    if (!grid?.matches(where)) return false;
    const row = document.getElementById(grid.getAttribute('aria-activedescendant'));
    return row?.classList.contains('cursor') && row.textContent.includes(text);
}"""
"""Whether the row that the focused grid announces is its cursor's, and shows a text."""


def test_the_cursor_of_a_grid_is_announced(monitor: MockMonitor) -> None:
    page = monitor.open("#/actions?show=all")
    shown(row(page, "CAMERA:ARM")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.wait_for_function(ANNOUNCED, arg=["#all [role=grid]", "GAS:VALVE_3"])
    page.goto(page.url.partition("#")[0] + "#/fleet")
    shown(page.locator("fleet-table .grid-row:visible").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.wait_for_function(ANNOUNCED, arg=["fleet-table .grid-scroll", ""])


def test_what_is_dangerous_is_not_what_enter_does(monitor: MockMonitor) -> None:
    page = monitor.open("#/actions?show=all")
    row(page, "CONTROL:STEP_065").get_by_role("button", name="Abort").click()
    shown(page.locator("dialog.ask button:focus")).to_have_text("Cancel")
    page.keyboard.press("Enter")
    shown(page.locator("dialog.ask")).to_have_count(0)
    assert monitor.asked == []


def test_nothing_is_said_each_second(monitor: MockMonitor) -> None:
    many_servers(monitor)
    page = monitor.open("#/fleet")
    page.evaluate(
        """() => {
            window.said = [];
            const live = '[aria-live]:not([aria-live=off]), [role=status], [role=alert]';
            const watch = (region) => new MutationObserver(() => window.said.push(region.className))
                .observe(region, {subtree: true, childList: true, characterData: true});
            document.querySelectorAll(live).forEach(watch);
        }"""
    )
    many_servers(monitor)
    monitor.mute = True
    monitor.cut()
    shown(page.locator("connection-state .state-text")).to_contain_text("(2 s)")
    before = page.evaluate("window.said.length")
    shown(page.locator("connection-state .state-text")).to_contain_text("(4 s)")
    assert page.evaluate("window.said.length") == before


def test_whoever_wants_less_to_move_sees_less_move(browser: Browser) -> None:
    monitor = MockMonitor(browser)
    page = monitor.new_page()
    page.emulate_media(reduced_motion="reduce")
    monitor.shot("T", 1, action("ONE", ActionState.DOING, attempt=1, server="A:1", started_at=1.0))
    monitor.open("#/actions?show=all", page)
    shown(page.locator("#all .c-duration .taken")).to_be_visible()
    page.evaluate(
        """() => {
            window.changes = 0;
            new MutationObserver((all) => { window.changes += 1; })
                .observe(document.querySelector('#all .c-duration .taken'),
                         {subtree: true, childList: true, characterData: true});
            window.until = new Promise((done) => setTimeout(done, 2500));
        }"""
    )
    page.evaluate("window.until")
    assert page.evaluate("window.changes") <= 4
