"""The output log: lines, limits, batches, repeats."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from shotline.action_server.output import NOTE, STDERR, STDOUT, OutputLog
from shotline.common.actions import AttemptId
from shotline.common.messages import TAIL_BYTES_MAX, Output
from shotline.common.settings.sections.action_server import ActionServerSection

ATTEMPT = AttemptId("TEST", 1, "A", 1)


def lines_of(messages: list[Output]) -> list[tuple[int, bytes]]:
    lines = []
    at = 0
    for message in messages:
        assert message.first == at
        for _, stream, piece in message.pieces:
            lines += [(stream, line) for line in piece.split(b"\n")]
        at = len(lines)
    return lines


def text_of(log: OutputLog) -> list[str]:
    return [line.decode() for _, line in lines_of(log.take())]


def whole(log: OutputLog, chunks: list[bytes], stream: int = STDOUT) -> list[tuple[int, bytes]]:
    messages = []
    for chunk in chunks:
        log.feed(0.0, stream, chunk)
        messages += log.take()
    log.close(0.0)
    lines = lines_of(messages + log.take())
    assert log.lines == len(lines)
    return lines


@given(st.lists(st.binary(max_size=40).map(lambda data: data.replace(b"x", b"\n")), max_size=30))
def test_lines_do_not_depend_on_how_the_bytes_came(chunks: list[bytes]) -> None:
    data = b"".join(chunks)
    log = OutputLog(ATTEMPT, ActionServerSection())
    expected = data.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    got = [line for _, line in whole(log, chunks)]
    # As a terminal shows them.
    assert got == [line.rstrip(b"\r").rpartition(b"\r")[2] for line in expected]


@given(
    st.lists(st.binary(min_size=1, max_size=300).map(lambda data: data.replace(b"x", b"\n"))),
    st.integers(80, 100),
)
def test_no_line_is_longer_than_the_limit_and_no_byte_is_lost(
    chunks: list[bytes], longest: int
) -> None:
    data = b"".join(chunks).replace(b"\r", b"")
    chunks = [chunk.replace(b"\r", b"") for chunk in chunks]
    log = OutputLog(ATTEMPT, ActionServerSection(output_line_bytes_max=longest))
    lines = whole(log, chunks)
    task_lines = [line for stream, line in lines if stream == STDOUT]
    assert all(len(line) <= longest for line in task_lines)
    assert b"".join(task_lines) == data.replace(b"\n", b"")
    notes = [line for stream, line in lines if stream == NOTE]
    is_split = any(len(line) > longest for line in data.split(b"\n"))
    assert len(notes) == is_split


@given(
    st.lists(st.integers(1, 50), max_size=20),
    st.integers(1, 60),
    st.integers(1, 600),
)
def test_a_cut_keeps_the_beginning_and_says_what_was_cut(
    counts: list[int], lines_max: int, bytes_max: int
) -> None:
    log = OutputLog(
        ATTEMPT, ActionServerSection(output_lines_max=lines_max, output_bytes_max=bytes_max)
    )
    number = 0
    chunks = []
    for count in counts:
        chunks.append(b"".join(b"%07d\n" % (number + at) for at in range(count)))
        number += count
    lines = whole(log, chunks)
    kept = [line for stream, line in lines if stream == STDOUT]
    fitting = min(number, lines_max, bytes_max // 7)
    assert kept == [b"%07d" % at for at in range(fitting)]
    notes = [line.decode() for stream, line in lines if stream == NOTE]
    if fitting == number:
        assert notes == []
    else:
        assert f"cut here, at {fitting} lines" in notes[0]
        assert notes[
            1
        ] == f"[{number - fitting} lines, {7 * (number - fitting)} bytes of output " + ("were cut]")


def test_streams_do_not_mix_within_a_line() -> None:
    log = OutputLog(ATTEMPT, ActionServerSection())
    log.feed(0.0, STDOUT, b"out")
    log.feed(0.0, STDERR, b"err\n")
    log.feed(0.0, STDOUT, b"put\n")
    assert lines_of(log.take()) == [(STDERR, b"err"), (STDOUT, b"output")]


def test_a_repeat_is_the_same_batch_until_it_is_stored() -> None:
    log = OutputLog(ATTEMPT, ActionServerSection())
    for number in range(10_000):
        log.feed(float(number), STDOUT, b"line %d\n" % number)
    first = log.take()
    assert len(first) > 2
    assert log.unstored() == first
    log.stored(first[2].first - 1)  # not all of the second batch: it is kept whole
    held = [structs.replace(one, held_from=first[1].first) for one in first[1:]]
    assert log.unstored() == held
    assert log.held_from == first[1].first
    log.stored(10_000)
    assert log.unstored() == []
    assert (log.held_bytes, log.held_from) == (0, 10_000)
    log.stored(5)
    assert log.take() == []


def test_progress_lines_are_not_output() -> None:
    log = OutputLog(ATTEMPT, ActionServerSection())
    data = b"a\n::progress 0.5 half\n::progress nonsense\n::progress 2\nb\n"
    assert log.feed(0.0, STDOUT, data) == (0.5, "half")
    assert log.feed(0.0, STDERR, b"::progress 0.7\n") is None
    assert log.feed(0.0, STDOUT, b"::progress 1") is None
    assert log.close(0.0) == (1.0, "")
    assert lines_of(log.take()) == [
        (STDOUT, b"a\n::progress nonsense\n::progress 2\nb".split(b"\n")[0]),
        (STDOUT, b"::progress nonsense"),
        (STDOUT, b"::progress 2"),
        (STDOUT, b"b"),
        (STDERR, b"::progress 0.7"),
    ]


def test_the_window_opens_again_at_half() -> None:
    log = OutputLog(ATTEMPT, ActionServerSection(output_window_bytes=1_000_000))
    while not log.is_over_window:
        log.feed(0.0, STDOUT, b"x" * 99 + b"\n")
    messages = log.take()
    assert not log.is_under_half_window
    log.stored(messages[-1].first)
    assert log.is_under_half_window
    assert not log.is_over_window


# Lines that have not ended


def tails(log: OutputLog) -> list[tuple[int, bytes]]:
    return [(one.stream, one.text) for one in log.tails(1.0)]


def test_a_line_that_has_not_ended_is_told_when_it_has_changed() -> None:
    log = OutputLog(ATTEMPT, ActionServerSection())
    log.feed(1.0, STDOUT, b"pressing\npassword: ")
    assert log.has_tail
    assert tails(log) == [(STDOUT, b"password: ")]
    assert not log.has_tail
    assert tails(log) == []
    log.feed(1.0, STDOUT, b"***")
    log.feed(1.0, STDERR, b"hm")
    assert tails(log) == [(STDOUT, b"password: ***"), (STDERR, b"hm")]
    log.feed(1.0, STDOUT, b"\n")
    assert tails(log) == []
    assert text_of(log) == ["pressing", "password: ***"]


def test_a_line_with_the_text_of_one_that_has_ended_is_told_like_any_other() -> None:
    log = OutputLog(ATTEMPT, ActionServerSection())
    log.feed(1.0, STDOUT, b"more? ")
    assert tails(log) == [(STDOUT, b"more? ")]
    log.feed(1.0, STDOUT, b"\nmore? ")
    assert tails(log) == [(STDOUT, b"more? ")]


def test_a_line_is_told_again_to_another_one() -> None:
    log = OutputLog(ATTEMPT, ActionServerSection())
    log.feed(1.0, STDERR, b"more? ")
    assert tails(log) == [(STDERR, b"more? ")]
    log.tell_tails_again()
    assert log.has_tail
    assert tails(log) == [(STDERR, b"more? ")]


def test_of_a_long_line_its_end_is_told() -> None:
    log = OutputLog(ATTEMPT, ActionServerSection())
    log.feed(1.0, STDOUT, "é".encode() * 3000 + b"x")
    [(_, text)] = tails(log)
    assert TAIL_BYTES_MAX - 4 <= len(text) <= TAIL_BYTES_MAX
    assert set(text.decode()) == {"é", "x"}


def test_what_is_not_kept_is_not_told_either() -> None:
    log = OutputLog(ATTEMPT, ActionServerSection(output_lines_max=1))
    log.feed(1.0, STDOUT, b"::progress 0.5")
    assert tails(log) == []
    log.feed(1.0, STDOUT, b"\none\ntwo\nthree")
    assert tails(log) == []


def test_a_carriage_return_begins_the_line_anew() -> None:
    log = OutputLog(ATTEMPT, ActionServerSection())
    log.feed(1.0, STDOUT, b"10 %\r20 %\r")
    assert tails(log) == [(STDOUT, b"20 %")]
    log.feed(1.0, STDOUT, b"30 %")
    assert tails(log) == [(STDOUT, b"30 %")]
    log.feed(1.0, STDOUT, b"\r100 %\r\nnext\r\n\r\nlast\r")
    log.close(1.0)
    assert text_of(log) == ["100 %", "next", "", "last"]


def test_a_progress_bar_without_an_end_takes_no_room() -> None:
    log = OutputLog(ATTEMPT, ActionServerSection(output_line_bytes_max=80))
    for number in range(1000):
        log.feed(1.0, STDOUT, b"%d of 1000\r" % number)
    log.close(1.0)
    assert text_of(log) == ["999 of 1000"]


@pytest.mark.parametrize("filling", range(4))
@pytest.mark.parametrize("character", ["é", "€", "🔥"])
def test_no_character_is_cut_in_two(character: str, filling: int) -> None:
    text = "x" * filling + character * 200
    log = OutputLog(ATTEMPT, ActionServerSection(output_line_bytes_max=80))
    data = text.encode()
    for at in range(0, len(data), 7):
        log.feed(1.0, STDOUT, data[at : at + 7])
        for _, tail in tails(log):
            tail.decode()
    log.close(1.0)
    lines = [line for line in text_of(log) if not line.startswith("[")]
    assert "".join(lines) == text
    assert max(len(line.encode()) for line in lines) <= 80


def test_what_is_no_text_is_split_all_the_same() -> None:
    log = OutputLog(ATTEMPT, ActionServerSection(output_line_bytes_max=80))
    log.feed(1.0, STDOUT, b"\x80" * 1000)
    assert tails(log)
    log.close(1.0)
    assert sum(piece.count(b"\x80") for one in log.take() for _, _, piece in one.pieces) == 1000
