"""What MDSplus answers is told in any case: texts that are not UTF-8, numbers beyond all range."""

from collections.abc import Callable
from math import inf, nan

import mdsthin
import pytest
from mdsthin.descriptors import String

from shotline.common.ranges import WHOLE_MAX
from shotline.trees.mdsip import MdsipConnection
from shotline.trees.tdi import Scalar, TdiConnection
from shotline.trees.tree import TreeError


class Answers(TdiConnection):
    """Evaluates every expression to one value."""

    url = "here"

    def __init__(self, value: Scalar) -> None:
        self._value = value

    def begin(self) -> None:
        pass

    def ask(self, expression: str, *arguments: Scalar) -> Scalar:
        del expression, arguments
        return self._value

    def known_status(self, status: int) -> str | None:
        return f"status {status}"

    def close(self) -> None:
        pass


@pytest.mark.parametrize("status", [2**63 + 1, -(2**63) - 1, 2**63])
def test_a_status_that_nobody_can_hold_is_clamped_and_said_so(status: int) -> None:
    outcome = Answers(status).do_task("PATH")
    assert outcome.ok == bool(status & 1)
    assert outcome.code == (WHOLE_MAX if status > 0 else -WHOLE_MAX)
    assert "a number of 64 bits" in outcome.text


@pytest.mark.parametrize("answer", [nan, inf, "8 µA"])
def test_what_is_no_number_is_a_failure_of_the_task(answer: Scalar) -> None:
    outcome = Answers(answer).do_task("PATH")
    assert not outcome.ok
    assert "not a number" in outcome.text
    with pytest.raises(TreeError):
        Answers(answer).number("1")


@pytest.mark.parametrize(
    ("received", "text"), [(b"8 \xb5A", "8 \\xb5A"), ("8 µA".encode(), "8 µA"), (b"8 mA", "8 mA")]
)
def test_a_text_that_is_not_ascii_is_an_answer_all_the_same(
    monkeypatch: pytest.MonkeyPatch, received: bytes, text: str
) -> None:
    class Connection:
        _socket = None
        get: Callable[..., String] = lambda *_: String.unpack_data(received)

    monkeypatch.setattr(mdsthin, "Connection", lambda *_, **__: Connection())
    connection = MdsipConnection(
        "host:8000", connect_timeout_s=1, answer_timeout_s=1, keep_alive_s=1
    )
    monkeypatch.setattr("shotline.trees.mdsip._set_up_socket", lambda *_: None)
    assert connection.text("EXPRESSION") == text
    assert connection.connected
