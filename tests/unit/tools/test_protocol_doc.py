"""`docs/protocol.md` says what the message classes say."""

from pathlib import Path

import pytest
from tools.protocol_doc import page

from shotline.common.messages import MESSAGES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "protocol.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it anew: make schema"


@pytest.mark.parametrize("kind", MESSAGES)
def test_every_message_says_who_sends_it(kind: str) -> None:
    first = (MESSAGES[kind].__doc__ or "").splitlines()[0]
    assert "→" in first or kind == "held", f"{kind}: begin its docstring with `Sender → receiver:`"


@pytest.mark.parametrize("kind", MESSAGES)
def test_every_field_is_on_the_page(kind: str) -> None:
    section = page().partition(f"### `{kind}`")[2].partition("###")[0]
    for field in MESSAGES[kind].__struct_fields__:
        assert f"| `{field}` |" in section
