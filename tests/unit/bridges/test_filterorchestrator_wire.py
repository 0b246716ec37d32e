"""The bytes of the filter orchestrator's clients: whole requests, or one error and nothing else."""

import contextlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shotline.bridges.filterorchestrator.wire import Asked, NoRequest, Parser

REQUEST = b"GET /read-next-tr HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"


def parsed(*pieces: bytes) -> list[Asked]:
    parser, found = Parser(), []
    for piece in pieces:
        parser.feed(piece)
        while (asked := parser.next()) is not None:
            found.append(asked)
    return found


@given(st.lists(st.integers(0, 2 * len(REQUEST)), max_size=6))
def test_requests_come_in_any_pieces(cuts: list[int]) -> None:
    whole = REQUEST + REQUEST
    places = [0, *sorted(cuts), len(whole)]
    pieces = [whole[a:b] for a, b in pairwise(places)]
    assert parsed(*pieces) == [Asked("GET", "/read-next-tr", b"{}", True)] * 2


@given(st.binary(max_size=300))
def test_any_bytes_are_taken_or_refused(data: bytes) -> None:
    with contextlib.suppress(NoRequest):
        parsed(data, b"\r\n\r\n")


@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.1\r\nContent-Length: many",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999999",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked",
        b"hello",
        b"\n",
    ],
)
def test_what_cannot_be_read_is_refused(head: bytes) -> None:
    with pytest.raises(NoRequest):
        parsed(head + b"\r\n\r\n")


def test_who_closes_is_believed() -> None:
    (old,) = parsed(b"GET / HTTP/1.0\r\n\r\n")
    (new,) = parsed(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert not old.keeps
    assert not new.keeps
