"""The audit and the logins at the page: for administrators, filtered by the address, live."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page
from tests.support.browser import Browser, address_of, confirm, fill, live, shown
from tests.support.monitor import with_monitor
from tests.support.stack import Stack

from shotline.client.cli.main import run
from shotline.client.supervisor import Supervisor

PASSWORD = "correct horse"
LINES = "tab-audit .audit-line:not([hidden])"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("audit")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shotline.client.cli.commands.users._password", lambda _: PASSWORD)
        for name, role in (("ada", "administrator"), ("otto", "operator")):
            words = ["users", "add", name, "--role", role, "--file", str(folder / "users")]
            assert run(words) == 0
    with with_monitor(folder, (), {}, {"access": {"users_file": "users"}}) as running:
        yield running


def logged_in(browser: Browser, stack: Stack, name: str, tab: str) -> Page:
    page = browser.new_page()
    page.goto(f"{address_of(stack)}/#/{tab}")
    page.wait_for_url(re.compile("/login#/"))
    page.locator("#user").fill(name)
    page.locator("#password").fill(PASSWORD)
    page.locator("#password").press("Enter")
    page.wait_for_url(re.compile("/#/"))
    live(page)
    return page


def give(stack: Stack, name: str, times: int = 1) -> None:
    with Supervisor(stack.config.broker.clients, on_behalf_of=name) as shotline:
        for _ in range(times):
            shotline.abort()


def first(page: Page) -> str:
    """Return the topmost line."""
    return page.evaluate(
        """() => [...document.querySelectorAll('tab-audit .audit-line:not([hidden])')]
            .sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top)[0]
            ?.textContent ?? ''"""
    )


def test_what_is_asked_for_is_shown_as_it_comes(browser: Browser, stack: Stack) -> None:
    give(stack, "before")
    page = logged_in(browser, stack, "ada", "audit")
    shown(page.locator(LINES).filter(has_text="before (as)")).to_have_count(1)
    give(stack, "meanwhile")
    shown(page.locator(LINES).filter(has_text="meanwhile (as)")).to_have_count(1)
    assert "meanwhile" in first(page), "the newest is the first"
    shown(page.locator(LINES).filter(has_text="ada (login)").first).to_contain_text("login")


def test_the_filters_stand_in_the_address(browser: Browser, stack: Stack) -> None:
    give(stack, "to-be-found")
    page = logged_in(browser, stack, "ada", "audit?who=to-be-found")
    shown(page.locator(LINES)).to_have_count(1)
    shown(page.locator("tab-audit .count")).to_have_text("1 line")
    fill(page, "#audit-who", "")
    fill(page, "#audit-command", "login")
    page.wait_for_url(re.compile(r"#/audit\?command=login$"))
    shown(page.locator(LINES).filter(has_text="abort")).to_have_count(0)
    shown(page.locator(LINES).first).to_contain_text("ada (login)")
    page.locator("#audit-outcome").select_option("refused")
    page.wait_for_url(re.compile("command=login&outcome=refused"))
    fill(page, "#audit-about", "no shot/")
    shown(page.locator("tab-audit .count")).to_have_text("About: give TREE or TREE/SHOT")


def test_older_lines_are_read_where_one_scrolls_to_them(browser: Browser, stack: Stack) -> None:
    give(stack, "oldest")
    give(stack, "many", 450)
    page = logged_in(browser, stack, "ada", "audit?command=abort")
    shown(page.locator("tab-audit .count")).to_contain_text("200 lines, and older ones")
    oldest = page.locator(LINES).filter(has_text="oldest (as)")
    scroll = page.locator("tab-audit .log-scroll")
    for count in (re.compile("^400 lines, and"), re.compile(r"^4\d\d lines$")):
        scroll.evaluate("(list) => list.scrollTo(0, list.scrollHeight)")
        shown(page.locator("tab-audit .count")).to_have_text(count)
    scroll.evaluate("(list) => list.scrollTo(0, list.scrollHeight)")
    shown(oldest).to_have_count(1)


def test_it_is_for_administrators(browser: Browser, stack: Stack) -> None:
    page = logged_in(browser, stack, "otto", "audit")
    shown(page.locator("tab-actions:not([hidden])")).to_have_count(1)
    for tab in ("audit", "logins"):
        assert page.locator(f"nav [data-tab={tab}]").is_hidden()
    page.keyboard.press("9")
    shown(page.locator("tab-actions:not([hidden])")).to_have_count(1)


def test_logins_are_shown_and_ended(browser: Browser, stack: Stack) -> None:
    otto = logged_in(browser, stack, "otto", "log")
    page = logged_in(browser, stack, "ada", "logins")
    rows = page.locator("#logins tbody tr")
    shown(rows.filter(has_text="this one")).to_contain_text("127.0.0.1")
    shown(rows.filter(has_text="otto").first).to_contain_text("ago")
    while rows.filter(has_text="otto").count():
        before = rows.count()
        rows.filter(has_text="otto").first.get_by_role("button", name="End").click()
        confirm(page, "End the login of otto?")
        shown(rows).to_have_count(before - 1)
    otto.wait_for_url(re.compile("/login"))
    page.goto(f"{address_of(stack)}/#/audit?command=end_session")
    shown(page.locator(LINES).first).to_contain_text("the login of otto at 127.0.0.1")
