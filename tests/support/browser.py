"""A real Chromium on the monitor's page, and what tests look at there.

Every page notes the errors that its scripts throw; `Browser` fails the test that left any.
"""

import re
import shutil
from typing import Self

from playwright.sync_api import ConsoleMessage, Locator, Page, expect, sync_playwright
from tests.support.stack import Stack
from tests.support.static_files import StaticFiles

DEADLINE_S = 30.0  # the machine may be loaded
PLAYED = "shotline.test"  # the host of a monitor that is played; the page's files are there

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    "/usr/bin/chromium",
)
# A monitor that is away is what some tests are about; the browser says so on its console.
NETWORK = re.compile(r"WebSocket connection to|Failed to load resource|net::ERR_")


class Browser:
    """Chromium without a window. Each page has a context of its own, like another person's."""

    def __enter__(self) -> Self:
        self._files = StaticFiles().__enter__()
        self._playwright = sync_playwright().start()
        there = f"--host-resolver-rules=MAP {PLAYED} 127.0.0.1:{self._files.port}"
        self._chromium = self._playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--enable-precise-memory-info", there],
        )
        self.errors: list[str] = []
        return self

    def __exit__(self, *_: object) -> None:
        self._chromium.close()
        self._playwright.stop()
        self._files.__exit__()

    def new_page(
        self,
        width: int = 1500,
        height: int = 1000,
        *,
        scheme: str | None = None,
        touch: bool = False,
    ) -> Page:
        """Return an empty page of a new person."""
        context = self._chromium.new_context(
            viewport={"width": width, "height": height},
            has_touch=touch,
            color_scheme="light" if scheme == "light" else "dark",
        )
        context.on("page", self.watch)
        page = context.new_page()
        page.set_default_timeout(DEADLINE_S * 1000)
        return page

    def watch(self, page: Page) -> None:
        """Note what goes wrong in a page's scripts."""
        page.on("pageerror", lambda error: self.errors.append(f"{page.url}: {error}"))
        page.on("console", self._console)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not NETWORK.search(message.text):
            self.errors.append(message.text)

    def open(self, stack: Stack, address: str = "#/actions", page: Page | None = None) -> Page:
        """Return a page on the stack's monitor, once it is live."""
        page = page or self.new_page()
        page.goto(f"{address_of(stack)}/{address}")
        live(page)
        return page

    def close_all(self) -> list[str]:
        """Close all pages; return what went wrong in them, and forget it."""
        for context in self._chromium.contexts:
            context.close()
        errors, self.errors = self.errors, []
        return errors


def address_of(stack: Stack) -> str:
    """Return where the stack's monitor is."""
    return f"http://127.0.0.1:{stack.config.monitor.port}"


def live(page: Page) -> None:
    """Wait until the page says that what it shows is live."""
    shown(page.locator("connection-state .state-text")).to_have_text("live")


def shown(where: Locator) -> "Expecting":
    """Return what is expected of a part of a page, with the tests' deadline."""
    return Expecting(where)


class Expecting:
    """Playwright's expectations with a deadline that suits a loaded machine."""

    def __init__(self, where: Locator) -> None:
        self._expect = expect(where)

    def to_have_text(self, text: str | re.Pattern[str]) -> None:
        self._expect.to_have_text(text, timeout=DEADLINE_S * 1000)

    def to_contain_text(self, text: str | re.Pattern[str]) -> None:
        self._expect.to_contain_text(text, timeout=DEADLINE_S * 1000)

    def to_have_class(self, text: re.Pattern[str]) -> None:
        self._expect.to_have_class(text, timeout=DEADLINE_S * 1000)

    def to_have_count(self, count: int) -> None:
        self._expect.to_have_count(count, timeout=DEADLINE_S * 1000)

    def to_be_visible(self) -> None:
        self._expect.to_be_visible(timeout=DEADLINE_S * 1000)

    def to_be_enabled(self) -> None:
        self._expect.to_be_enabled(timeout=DEADLINE_S * 1000)


def row(page: Page, name: str, table: str = "all") -> Locator:
    """Return an action's row by the action's name."""
    cell = page.locator(".c-node").get_by_text(name, exact=True)
    return page.locator(f"#{table} .row:not([hidden])").filter(has=cell)


def rows(page: Page, table: str = "all") -> list[list[str]]:
    """Return the cells of all rows that are drawn, in the order in which they stand."""
    found = page.evaluate(
        """(table) => [...document.querySelectorAll(`#${table} .row:not([hidden])`)]
            .sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)
            .map((row) => [...row.querySelectorAll('.cell')].slice(1, -1)
                .map((cell) => cell.textContent))""",
        table,
    )
    assert isinstance(found, list)
    return found


def count(page: Page, category: str) -> Locator:
    """Return the number in the summary for a category, or for `total`."""
    return page.locator(f"main > :not([hidden]) [data-category={category}] b")


def fill(page: Page, field: str, text: str) -> None:
    """Type into a field and leave it, as a person does."""
    page.locator(field).fill(text)
    page.locator(field).press("Tab")


def confirm(page: Page, title: str | re.Pattern[str]) -> None:
    """Answer the question that is asked with yes; it must name its target. Another may follow."""
    dialog = page.locator("dialog.ask")
    shown(dialog.locator("h2")).to_have_text(title)
    asked = dialog.element_handle()
    dialog.locator("button[value=yes]").click()
    asked.wait_for_element_state("hidden")


def reply(page: Page, what: str) -> Locator:
    """Return the last answer to a command that is shown."""
    return page.locator("reply-list .reply").filter(has_text=what).last
