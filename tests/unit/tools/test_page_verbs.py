"""What the page knows of commands: as committed, and no button at the place of another."""

from pathlib import Path

from tools.page_verbs import text

from shotline import monitor
from shotline.common.commands import VERBS

COMMITTED = Path(monitor.__file__).parent / "static" / "model" / "verbs.js"


def test_the_committed_verbs_are_up_to_date() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == text(), "write them anew: make schema"


def test_each_button_has_a_place_of_its_own() -> None:
    buttons = [kind.BUTTON for kind in VERBS.values() if kind.BUTTON is not None]
    assert len({(one.beside, one.place) for one in buttons}) == len(buttons)


def test_what_ends_something_asks_first() -> None:
    for verb, kind in VERBS.items():
        if kind.BUTTON is not None:
            assert bool(kind.ENDS) == bool(kind.BUTTON.question), verb
