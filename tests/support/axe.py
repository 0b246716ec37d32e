"""What axe-core finds in a page. `make check-page` installs it, by npm."""

from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Page

AXE: Final = Path(__file__).parents[2] / ".venv/page/node_modules/axe-core/axe.min.js"
THEMES: Final = ("dark", "light")

needs_axe = pytest.mark.skipif(
    not AXE.exists(), reason="`make check-page` installs axe-core, by npm"
)


def use_theme(page: Page, theme: str) -> None:
    """Show the page dark or light."""
    page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
    page.evaluate("window.dispatchEvent(new Event('theme'))")


def violations(page: Page, where: str | None = None) -> list[str]:
    """Return what axe-core finds in a part of the page, given as a selector, or in all of it."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("(where) => axe.run(where ?? document)", where)
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
