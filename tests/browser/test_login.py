"""Logging in, losing the login, and the control that one person has, in a real browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page
from tests.support.browser import Browser, confirm, live, shown
from tests.support.monitor import with_monitor
from tests.support.stack import Stack

from shotline.client.cli.main import run

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("login")
    access = {"users_file": "users", "lease": True}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shotline.client.cli.commands.users._password", lambda _: PASSWORD)
        for name, role in (("anna", "operator"), ("bert", "operator"), ("vera", "viewer")):
            words = ["users", "add", name, "--role", role, "--file", str(folder / "users")]
            assert run(words) == 0
    with with_monitor(folder, (), {}, {"access": access}) as running:
        yield running


def logged_in(browser: Browser, stack: Stack, name: str) -> Page:
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{stack.config.monitor.port}/#/log")
    page.wait_for_url(re.compile("/login#/log$"))
    page.locator("#user").fill(name)
    page.locator("#password").fill(PASSWORD)
    page.locator("#password").press("Enter")
    page.wait_for_url(re.compile("/#/log$"))
    live(page)
    return page


def test_a_wrong_password_is_said(browser: Browser, stack: Stack) -> None:
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{stack.config.monitor.port}/login")
    page.locator("#user").fill("anna")
    page.locator("#password").fill("not this one")
    page.locator("#password").press("Enter")
    shown(page.locator("#answer")).to_have_text("the name or the password is wrong")


def test_one_logs_in_and_out(browser: Browser, stack: Stack) -> None:
    page = logged_in(browser, stack, "vera")
    shown(page.locator("page-who .who-name")).to_have_text("vera (viewer)")
    assert page.locator(".page-foot").inner_text().count("you may only look") == 1
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url(re.compile("/login"))


def test_a_page_whose_login_ends_asks_for_another(browser: Browser, stack: Stack) -> None:
    page = logged_in(browser, stack, "vera")
    users = stack.folder / "users"
    kept = users.read_text()
    users.write_text("".join(line for line in kept.splitlines(True) if " vera " not in line))
    try:
        page.wait_for_url(re.compile("/login"))
    finally:
        users.write_text(kept)


def test_the_control_is_taken_and_taken_over(browser: Browser, stack: Stack) -> None:
    anna, bert = logged_in(browser, stack, "anna"), logged_in(browser, stack, "bert")
    shown(anna.locator(".who-control")).to_have_text("nobody has the control")
    anna.get_by_role("button", name="Take control").click()
    shown(anna.locator(".who-control")).to_contain_text("you have the control")
    shown(bert.locator(".who-control")).to_contain_text("control: anna at 127.0.0.1")
    bert.get_by_role("button", name="Take control").click()
    confirm(bert, "Take over the control?")
    shown(bert.locator(".who-control")).to_contain_text("you have the control")
    shown(anna.locator(".who-control")).to_contain_text("control: bert at 127.0.0.1")
    shown(anna.locator("tab-log .log-line").last).to_contain_text("has taken the control over")
    bert.get_by_role("button", name="Give back").click()
    shown(anna.locator(".who-control")).to_have_text("nobody has the control")
