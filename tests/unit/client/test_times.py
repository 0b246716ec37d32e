"""Times as people read them: with their zone, local or UTC by choice."""

import logging
import time
from collections.abc import Iterator
from contextvars import copy_context
from datetime import UTC

import pytest

from shotline.client.cli.base import Options, options_of
from shotline.client.cli.main import run, shotline
from shotline.client.text import clock, date, moment, show_in
from shotline.common.process.logs import _lines_of  # its lines are what is tested
from shotline.common.settings.sections.logs import LoggingSection

AT = 1_764_405_000.25  # 2025-11-29 08:30:00.25 UTC


@pytest.fixture(autouse=True)
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_local_times_have_their_zone() -> None:
    assert date(AT) == "2025-11-29 09:30:00+01:00"
    assert date(AT + 180 * 86_400).endswith("+02:00")
    assert moment(AT) == "2025-11-29 09:30:00.250+01:00"
    assert clock(AT) == "09:30:00.250"
    assert (date(None), clock(None)) == ("", "")


def test_times_are_in_utc_where_that_is_chosen_and_nowhere_else() -> None:
    def chosen() -> tuple[str, str, str]:
        show_in(UTC)
        return date(AT), moment(AT), clock(AT)

    assert copy_context().run(chosen) == (
        "2025-11-29 08:30:00Z",
        "2025-11-29 08:30:00.250Z",
        "08:30:00.250Z",
    )
    assert date(AT).endswith("+01:00")


@pytest.mark.parametrize("line", [["--utc", "version"], ["version", "--utc"], ["version"]])
def test_the_command_line_chooses(line: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    if "--utc" not in line:
        monkeypatch.setenv("SHOTLINE_UTC", "1")

    def shown() -> str:
        with shotline.make_context("shotline", line, obj=Options()) as ctx:
            shotline.invoke(ctx)
            assert options_of(ctx).utc
        return date(AT)

    assert copy_context().run(shown).endswith("Z")
    assert run(line) == 0
    assert date(AT).endswith("+01:00")


@pytest.mark.parametrize(
    ("times", "expected"),
    [("local", "2025-11-29 09:30:00.250+01:00"), ("utc", "2025-11-29 08:30:00.250+00:00")],
)
def test_a_log_s_lines_have_their_zone(times: str, expected: str) -> None:
    lines = _lines_of(LoggingSection.model_validate({"times": times}), "broker")
    record = logging.LogRecord("shotline", logging.INFO, "", 1, "hello", None, None)
    record.created = AT
    assert lines.format(record) == f"{expected} INFO     shotline: hello"
