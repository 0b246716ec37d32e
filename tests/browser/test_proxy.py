"""The page behind a real nginx, at the root and below a prefix, as sites configure it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page
from tests.support.browser import Browser, live, row, shown
from tests.support.monitor import with_monitor
from tests.support.nginx import OURS, nginx
from tests.support.stack import Stack

EXPERIMENT = """
experiment: TEST
phases: {INIT: 1}
actions:
  - {path: ONE, server_class: A, phase: INIT, when: 10, task: {shell: [echo, hello]}}
"""
# What is found in many a site's file: an upgrade asked for always, and a Host without its port.
USUAL = """
server {
    listen 80;
    location / {
        proxy_pass http://127.0.0.1:5580;
        proxy_http_version 1.1;
        proxy_set_header Host $host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";
    }
}
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("proxy")
    (folder / "experiment.yaml").write_text(EXPERIMENT)
    with with_monitor(folder, ("A:1",), {"TEST": folder / "experiment.yaml"}) as running:
        yield running


def works(page: Page, address: str) -> None:
    """The page is live, changes something, shows output and the API's own page."""
    page.goto(f"{address}#/actions?show=all&tree=TEST")
    live(page)
    row(page, "ONE").get_by_role("button", name="Dispatch").click()
    shown(page.locator("reply-list .reply")).to_contain_text("Dispatch ONE")
    shown(row(page, "ONE")).to_contain_text("Success")
    with page.expect_popup() as opened:
        row(page, "ONE").get_by_role("button", name="Logs").click()
    shown(opened.value.locator(".output-scroll")).to_contain_text("hello")
    for docs in ("docs", "docs/"):
        page.goto(f"{address}{docs}")
        shown(page.locator(".swagger-ui .title").first).to_contain_text("Shotline")


@pytest.mark.parametrize("prefix", ["/", "/shotline/"])
def test_the_page_works_behind_our_nginx_file(
    prefix: str, stack: Stack, browser: Browser, tmp_path: Path
) -> None:
    prepare(stack, 1 if prefix == "/" else 2)
    with nginx(OURS.read_text(encoding="utf-8"), stack.config.monitor.port, tmp_path) as address:
        works(browser.new_page(), address + prefix)


def test_the_page_works_behind_a_usual_file(stack: Stack, browser: Browser, tmp_path: Path) -> None:
    prepare(stack, 3)
    with nginx(USUAL, stack.config.monitor.port, tmp_path) as address:
        works(browser.new_page(), f"{address}/")


def prepare(stack: Stack, shot: int) -> None:
    with stack.supervisor() as shotline:
        shotline.create_pulse("TEST", shot)
        shotline.build_tables("TEST", shot)
