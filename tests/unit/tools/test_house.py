"""`docs/architecture.md` shows the house as it stands."""

import re
from pathlib import Path

import pytest
from tools.house import written

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_the_pictures_are_up_to_date() -> None:
    assert written(PAGE) == PAGE, "write them anew: make schema"


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"`([a-z_]+/[a-z_/]+\.(?:py|js|yaml))`", PAGE)))
)
def test_every_file_that_is_named_is_there(name: str) -> None:
    assert (ROOT / name).is_file()
