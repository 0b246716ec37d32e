"""The page behind a real nginx, at the root and below a prefix, as sites configure it."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page
from tests.support.browser import Browser, live, row, shown
from tests.support.monitor import with_monitor
from tests.support.stack import DEADLINE_S, Stack, eventually, free_ports

ROOT = Path(__file__).resolve().parents[2]
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


@contextlib.contextmanager
def nginx(site: str, stack: Stack, folder: Path) -> Iterator[str]:
    """Run nginx with a site's file. Return where it is."""
    (port,) = free_ports(1)
    site = site.replace("listen 80;", f"listen 127.0.0.1:{port};")
    site = site.replace("127.0.0.1:5580", f"127.0.0.1:{stack.config.monitor.port}")
    (folder / "site.conf").write_text(site)
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off; {temporary} include {folder}/site.conf; }}\n"
    )
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    assert program is not None, "nginx is needed: apt install nginx-light"
    process = subprocess.Popen([program, "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        eventually((folder / "pid").exists, (folder / "error.log").read_text)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(DEADLINE_S)


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
    site = (ROOT / "etc" / "nginx.conf").read_text(encoding="utf-8")
    with nginx(site, stack, tmp_path) as address:
        works(browser.new_page(), address + prefix)


def test_the_page_works_behind_a_usual_file(stack: Stack, browser: Browser, tmp_path: Path) -> None:
    prepare(stack, 3)
    with nginx(USUAL, stack, tmp_path) as address:
        works(browser.new_page(), f"{address}/")


def prepare(stack: Stack, shot: int) -> None:
    with stack.supervisor() as shotline:
        shotline.create_pulse("TEST", shot)
        shotline.build_tables("TEST", shot)
