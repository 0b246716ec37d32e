"""Daemons that end and come back under the open page: it says so, and has missed nothing (I6)."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page
from tests.support.browser import Browser, count, live, rows, shown
from tests.support.monitor import with_monitor
from tests.support.stack import Stack

EXPERIMENT = """
experiment: TEST
phases: {INIT: 1, PULSE: 2, STORE: 3}
actions:
"""
ACTION = "  - {path: %s, server_class: A, phase: %s, when: 10, task: {sleep: 0.1}}\n"
PHASES = ("INIT", "PULSE", "STORE")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    text = EXPERIMENT + "".join(
        ACTION % (f"{phase}_{number}", phase) for phase in PHASES for number in range(5)
    )
    (tmp_path / "experiment.yaml").write_text(text)
    with with_monitor(tmp_path, ("A:1",), {"TEST": tmp_path / "experiment.yaml"}) as running:
        yield running


def opened(stack: Stack, browser: Browser) -> Page:
    with stack.supervisor() as shotline:
        shotline.create_pulse("TEST", 1)
        shotline.build_tables("TEST", 1)
        shotline.do_phase("INIT", "TEST", 1)
    page = browser.open(stack, "#/actions?show=all&tree=TEST")
    shown(count(page, "success")).to_have_text("5")
    return page


def grey(page: Page, words: str) -> None:
    """The page says what has stopped, since when, and greys out."""
    shown(page.locator("connection-state .state-text")).to_have_text(
        re.compile(words + r".* since \d\d:\d\d:\d\d \(\d+ s\)")
    )
    shown(page.locator("body")).to_have_class(re.compile("stale"))


def as_a_fresh_page(stack: Stack, browser: Browser, page: Page) -> None:
    fresh = browser.open(stack, "#/actions?show=all&tree=TEST")
    shown(count(fresh, "success")).to_have_text(count(page, "success").inner_text())
    assert rows(page) == rows(fresh)


def do_phase(stack: Stack, phase: str) -> None:
    with stack.supervisor() as shotline:
        shotline.do_phase(phase, "TEST", 1)


def test_the_monitor_ends_and_comes_back(stack: Stack, browser: Browser) -> None:
    page = opened(stack, browser)
    stack["monitor"].kill()
    grey(page, "no connection to the monitor")
    do_phase(stack, "PULSE")
    stack.restart(stack["monitor"])
    live(page)
    shown(count(page, "success")).to_have_text("10")
    do_phase(stack, "STORE")
    shown(count(page, "success")).to_have_text("15")
    as_a_fresh_page(stack, browser, page)


def test_the_monitor_hangs_and_goes_on(stack: Stack, browser: Browser) -> None:
    page = opened(stack, browser)
    stack["monitor"].signal(signal.SIGSTOP)
    grey(page, "no connection to the monitor")
    do_phase(stack, "PULSE")
    stack["monitor"].signal(signal.SIGCONT)
    live(page)
    shown(count(page, "success")).to_have_text("10")
    as_a_fresh_page(stack, browser, page)


def test_the_broker_ends_and_comes_back(stack: Stack, browser: Browser) -> None:
    page = opened(stack, browser)
    stack.broker.kill()
    grey(page, "the feed has stopped")
    stack.restart(stack.broker)
    live(page)
    stack.wait_until(lambda status: any(one.liveness == "alive" for one in status.servers))
    do_phase(stack, "PULSE")
    shown(count(page, "success")).to_have_text("10")
    as_a_fresh_page(stack, browser, page)


def test_the_dispatcher_ends_and_comes_back(stack: Stack, browser: Browser) -> None:
    page = opened(stack, browser)
    stack.dispatcher.kill()
    grey(page, "the feed has stopped")
    stack.restart(stack.dispatcher)
    live(page)
    stack.wait_until(lambda status: not status.recovering)
    do_phase(stack, "PULSE")
    shown(count(page, "success")).to_have_text("10")
    as_a_fresh_page(stack, browser, page)
