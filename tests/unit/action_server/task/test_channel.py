"""What a server and a worker say to each other arrives however it is cut; the rest is refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shotline.action_server.task.channel import (
    FRAME_BYTES_MAX,
    Ended,
    Frame,
    Job,
    Ready,
    Unpacker,
    pack,
)
from shotline.common.errors import MalformedMessage

FRAMES: list[Frame] = [
    Ready(4711),
    Job(b'{"kind":"sleep","seconds":1}', "TEST", 42, "\\TOP:GAS", 3, None, None, None, None, 5.0),
    Job(b"\xff" * 100_000, "TEST", -1, "\\TOP:Ä", 1, "/data", "{}", "a:8000", "/run/keeper", 0.5),
    Ended(True),
    Ended(False, 2**31, "too hot", notes=("[it left a thread]",), spent=True),
]


@given(st.lists(st.integers(min_value=1, max_value=70_000), max_size=30))
def test_frames_arrive_however_their_bytes_are_cut(sizes: list[int]) -> None:
    data = b"".join(map(pack, FRAMES))
    unpacker = Unpacker()
    arrived: list[Frame] = []
    for size in (*sizes, len(data)):
        arrived += unpacker.feed(data[:size])
        data = data[size:]
    assert arrived == FRAMES


@given(st.binary(max_size=200))
def test_what_a_task_writes_into_the_channel_is_a_frame_or_refused(body: bytes) -> None:
    data = len(body).to_bytes(4, "little") + body
    frames: list[Frame] = []
    with contextlib.suppress(MalformedMessage):
        frames = Unpacker().feed(data)
    assert all(isinstance(frame, Job | Ready | Ended) for frame in frames)


@pytest.mark.parametrize(
    "data",
    [
        (FRAME_BYTES_MAX + 1).to_bytes(4, "little"),
        b"printed by mistake\n",
        b"\x04\x00\x00\x00\x92\x02\xa1x",  # Ended, whose `ok` is a text
    ],
)
def test_what_is_no_frame_is_refused_at_once(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        Unpacker().feed(data)
