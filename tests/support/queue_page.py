"""The tab Queue as people use it, and the kinds of plans that its tests have."""

from typing import Final

from playwright.sync_api import Locator, Page
from tests.support.browser import shown
from tests.support.faults import TREE

PHASES: Final = [{"phase": "INIT"}, {"phase": "PULSE"}, {"phase": "STORE", "closing": True}]
KINDS: Final[dict[str, object]] = {
    "ohmic": {
        "description": "Gas, breakdown, ramp and flat top.",
        "experiment": TREE,
        "phases": PHASES,
        "parameters": {
            "current": {
                "type": "number",
                "unit": "MA",
                "minimum": 0.1,
                "maximum": 2.0,
                "step": 0.1,
                "description": "plasma current",
            },
            "gas": {"type": "text", "choices": ["D2", "H2"], "default": "D2"},
            "camera": {"type": "switch", "default": True},
            "times": {"type": "list", "items": "number", "unit": "s", "required": False},
            "extra": {"type": "object", "required": False},
        },
    },
    "cleaning": {
        "experiment": TREE,
        "phases": [{"phase": "INIT"}],
        "parameters": {"minutes": {"type": "integer", "default": 10, "minimum": 1}},
    },
}


def ohmic(current: float = 1.0, **fields: object) -> dict[str, object]:
    """Return a plan that says by its current which one it is."""
    return {"kind": "ohmic", "parameters": {"current": current}, **fields}


def row(page: Page, words: str) -> Locator:
    """Return the row of the programme in which these words stand."""
    return page.locator("queue-programme .plan-row:not([hidden])").filter(has_text=words)


def programme(page: Page) -> list[str]:
    """Return the details of all rows, in the order in which they stand."""
    found = page.evaluate(
        """() => [...document.querySelectorAll('queue-programme .plan-row:not([hidden])')]
            .sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)
            .map((row) => row.querySelector('.plan-details').textContent)"""
    )
    assert isinstance(found, list)
    return found


def expect_programme(page: Page, *currents: str | None) -> None:
    """Wait until plans of these currents stand there, in this order; None: one without any."""
    page.wait_for_function(
        """(wanted) => {
            const rows = [...document.querySelectorAll('queue-programme .plan-row:not([hidden])')]
                .sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)
                .map((row) => /current ([\\d.]+)/.exec(row.textContent)?.[1] ?? null);
            return JSON.stringify(rows) === JSON.stringify(wanted);
        }""",
        arg=list(currents),
        timeout=60_000,
    )


def form(page: Page) -> Locator:
    """Return the form for a plan, once it is open."""
    dialog = page.locator("dialog.plan-form")
    shown(dialog).to_be_visible()
    return dialog


def field(dialog: Locator, name: str) -> Locator:
    """Return an input of the form."""
    return dialog.locator(f"[data-field={name}]")


def act(page: Page, name: str) -> None:
    """Press a button of the queue's own bar."""
    page.locator(".queue-bar").get_by_role("button", name=name, exact=True).click()


def answer(page: Page, **said: str) -> None:
    """Fill in the question that is asked, and say yes."""
    dialog = page.locator("dialog.ask-form")
    for name, value in said.items():
        of_it = dialog.locator(f"input[name={name}]")
        if of_it.first.get_attribute("type") == "radio":
            dialog.locator(f"input[name={name}][value={value}]").check()
        else:
            of_it.fill(value)
    dialog.locator("button[value=yes]").click()
    dialog.wait_for(state="hidden")


def state(page: Page) -> Locator:
    """Return the word that says how the queue stands."""
    return page.locator("queue-state .queue-word")
