"""The texts in Redis: output lines and stored shots come back as they were."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shotline.common.errors import JournalError
from shotline.common.nodes import DispatchOptions
from shotline.common.records import (
    CheckReset,
    Mark,
    PulseCreated,
    ShotKey,
    TableBuilt,
    encode_records,
)
from shotline.dispatcher.journal import layout

PRESENT = st.floats(min_value=2.0**30, max_value=2.0**32)  # the years 2004 to 2106
STREAMS = st.sampled_from((0, 1, 2))


@given(st.integers(0, 2**40), st.lists(st.tuples(PRESENT, STREAMS, st.binary())))
def test_pieces_come_back_exactly(first: int, pieces: list[tuple[float, int, bytes]]) -> None:
    stored, following = layout.format_pieces(first, pieces)
    lines = [line for piece in stored for line in layout.parse_piece(piece)]
    given_lines = [
        (time, stream, text) for time, stream, whole in pieces for text in whole.split(b"\n")
    ]
    assert lines == [
        layout.StoredLine(number, *line) for number, line in enumerate(given_lines, start=first)
    ]
    assert following == first + len(given_lines)


@given(st.floats(), st.binary())
def test_no_clock_of_a_server_stops_the_dispatcher(time: float, text: bytes) -> None:
    stored, _ = layout.format_pieces(0, [(time, 1, text)])
    assert b"\n".join(line.text for line in layout.parse_piece(stored[0])) == text


@given(st.binary())
def test_what_somebody_else_wrote_into_a_list_is_no_line_or_one_of_its_form(text: bytes) -> None:
    for line in layout.parse_piece(text):
        assert line.text in text


def test_a_second_that_is_rounded_up_is_the_next_one() -> None:
    stored, _ = layout.format_pieces(0, [(1732285634.99999999, 1, b"x")])
    assert stored == [b"0 2024-11-22T14:27:15.0000000Z out x"]


@pytest.mark.parametrize("shot", [ShotKey("TEST", 42), ShotKey("T_2", -1)])
def test_shot_names_come_back(shot: ShotKey) -> None:
    assert layout.shot_name(str(shot).encode()) == shot


def test_paths_with_a_number_sign_come_back() -> None:
    name = layout.attempt_name("\\TEST::A#1", 12).encode()
    assert layout.parse_outputs([(name, b"3")]) == {("\\TEST::A#1", 12): 3}


def test_a_journal_that_cannot_be_read_is_named() -> None:
    entries = [(b"3-7", [b"records", b'[{"type":"unheard_of"}]'])]
    with pytest.raises(JournalError, match="TEST/42 cannot be read: its entry 3-7 is not"):
        layout.parse_journal(ShotKey("TEST", 42), entries)


def test_only_what_follows_a_table_is_understood() -> None:
    table = TableBuilt(time=3.0, actions=(), options=DispatchOptions())
    pulse, reset, mark = PulseCreated(time=1.0), CheckReset(time=2.0), Mark(time=4.0)
    assert layout.readable_history((pulse, reset, table, mark)) == (pulse, table, mark)
    assert layout.readable_history((pulse, reset)) == (pulse,)


def test_journal_entries_come_back_in_order() -> None:
    records = (Mark(time=1.0), Mark(time=2.0))
    entries = [
        (b"1-1", [b"records", encode_records(records[:1])]),
        (b"1-2", [b"note", b"x", b"records", encode_records(records[1:])]),
    ]
    assert layout.parse_journal(ShotKey("TEST", 42), entries) == list(records)
