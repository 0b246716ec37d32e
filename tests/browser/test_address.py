"""The page's address: every tab and row is a link; what a tab is looked at by stands in it."""

from tests.support.browser import shown
from tests.support.mock_monitor import MockMonitor, action
from tests.support.shot_page import all_of_it


def test_a_tab_is_a_link_to_it_as_it_was_left(monitor: MockMonitor) -> None:
    monitor.shot("T", 1, action("ONE"))
    page = monitor.open("#/actions?tree=T&shot=1&find=ON&show=all")
    links = page.locator("nav[aria-label=tabs] a:visible")
    timeline = page.locator("a[data-tab=timeline]")
    assert timeline.get_attribute("href") == "#/timeline?tree=T&shot=1"
    timeline.click()
    shown(page.locator("tab-timeline")).to_be_visible()
    back = page.locator("a[data-tab=actions]")
    assert back.get_attribute("href") == "#/actions?tree=T&shot=1&find=ON&show=all"
    back.click()
    shown(page.locator("#all .row:not([hidden])")).to_have_count(1)
    assert page.locator("#find").input_value() == "ON"
    assert links.count() >= 5


def test_all_tabs_are_in_sight_on_a_telephone(monitor: MockMonitor) -> None:
    all_of_it(monitor, count=40)
    page = monitor.open("#/actions", monitor.new_page(360, 740))
    # As many as there may ever be.
    page.evaluate(
        """() => {
            const nav = document.querySelector('nav[aria-label=tabs]');
            const link = nav.querySelector('.tab');
            for (const shown of nav.querySelectorAll('.tab')) shown.hidden = false;
            while (nav.querySelectorAll('.tab').length < 10) {
                nav.append(Object.assign(link.cloneNode(), {textContent: 'Timeline'}));
            }
        }"""
    )
    boxes = page.locator("nav[aria-label=tabs] .tab").evaluate_all(
        "(all) => all.map((one) => one.getBoundingClientRect()).map((b) => [b.left, b.right])"
    )
    assert len(boxes) >= 10
    assert all(left >= 0 and right <= 360 for left, right in boxes)
