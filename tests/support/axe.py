"""What axe-core finds in a page. `make check-page` installs it, by npm."""

from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Page

AXE: Final = Path(__file__).parents[2] / ".venv/page/node_modules/axe-core/axe.min.js"
OF_COLOURS: Final = ("color-contrast", "link-in-text-block")
"""The rules that find something else in another theme, which has other colours and no more."""

needs_axe = pytest.mark.skipif(
    not AXE.exists(), reason="`make check-page` installs axe-core, by npm"
)


def use_theme(page: Page, theme: str) -> None:
    """Show the page dark or light."""
    page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
    page.evaluate("window.dispatchEvent(new Event('theme'))")


def violations(page: Page, where: str = "body") -> list[str]:
    """Return what axe-core finds in a part of the page, dark and light; `where`: a selector."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    use_theme(page, "dark")
    found = _run(page, where, None)
    use_theme(page, "light")
    return found + _run(page, where, OF_COLOURS)


def _run(page: Page, where: str, rules: tuple[str, ...] | None) -> list[str]:
    found = page.evaluate(
        """([where, rules]) => {
            const how = { resultTypes: ['violations'] };
            if (rules) how.runOnly = rules;
            return axe.run(where === 'body' ? document : where, how);
        }""",
        [where, rules],
    )
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
