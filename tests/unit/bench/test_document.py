"""`docs/performance.md` shows the committed results."""

from pathlib import Path

import pytest
from bench.__main__ import forms_of
from bench.daemons import Form, is_there
from bench.document import written

PAGE = Path(__file__).resolve().parents[3] / "docs" / "performance.md"


def test_the_tables_are_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert written(page) == page, "write them anew: make bench-doc"


def test_what_is_not_measured_leaves_no_table(tmp_path: Path) -> None:
    assert "###" not in written(PAGE.read_text(encoding="utf-8"), tmp_path)


def test_a_form_that_is_not_there_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.__main__.is_there", lambda form: form is not Form.HUB)
    with pytest.raises(SystemExit, match=r"--daemons hub: this Shotline has no shotline\.hub"):
        forms_of([Form.HUB])
    assert forms_of([]) == [Form.APART]


def test_broker_and_dispatcher_are_there() -> None:
    assert is_there(Form.APART)
