"""Serialized MDSplus records: decoded as they were written, and no bytes get around the error."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.mdsip.serialize import serialized

from shotline.trees.mdsplus_terms import (
    ACTION,
    DEPTH_MAX,
    DISPATCH,
    FUNCTION,
    METHOD,
    MdsRecord,
    MdsTerm,
    MdsText,
    NodeRef,
    Nothing,
    Number,
    Other,
    PathRef,
    UndecodableRecord,
    decode_list,
    decode_term,
)

LIST = bytes([4, 0, 214, 196, 16, 0, 0, 0, 0, 0, 0, 1])  # how a serialized list begins
words = st.text("ABC:\\é", min_size=1, max_size=6)
scalars: st.SearchStrategy[MdsTerm] = st.one_of(
    st.integers(-(2**63), 2**63 - 1).map(Number),
    st.floats(allow_nan=False).map(Number),
    words.map(MdsText),
    words.map(PathRef),
    st.integers(0, 2**32 - 1).map(NodeRef),
    st.integers(0, 255).map(Other),
)


def records(inner: st.SearchStrategy[MdsTerm]) -> st.SearchStrategy[MdsTerm]:
    parts = st.lists(inner | st.just(Nothing()), max_size=4).map(tuple)
    return st.builds(MdsRecord, st.just(FUNCTION), st.integers(0, 65535), parts) | st.builds(
        MdsRecord, st.sampled_from([ACTION, METHOD]), st.just(0), parts
    )


terms = st.recursive(scalars, records, max_leaves=10)


@given(terms)
def test_what_was_written_is_read(term: MdsTerm) -> None:
    assert decode_term(serialized(term)) == term


@given(terms, st.data())
def test_cut_or_damaged_bytes_are_decoded_or_refused(term: MdsTerm, data: st.DataObject) -> None:
    content = bytearray(serialized(term))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255))
    with suppress(UndecodableRecord):
        decode_term(bytes(content[: data.draw(st.integers(0, len(content)))]))


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(content: bytes) -> None:
    with suppress(UndecodableRecord):
        decode_term(content)


@given(st.binary(max_size=40) | st.binary(max_size=40).map(LIST.__add__))
def test_any_bytes_are_a_list_or_refused(content: bytes) -> None:
    with suppress(UndecodableRecord):
        decode_list(content)


def test_a_method_with_further_arguments() -> None:
    method = MdsRecord(
        METHOD, 0, (Number(1.0), MdsText("slow"), NodeRef(4), Number(5.0), Number(6))
    )
    assert decode_term(serialized(method)) == method
    assert method.part(1) == MdsText("slow")
    assert method.part(9) == Nothing()


def test_a_record_that_holds_itself_is_refused() -> None:
    # One part, whose offset is so large that it wraps round nowhere, and one that points at a loop.
    content = bytearray(serialized(MdsRecord(FUNCTION, 45, (MdsRecord(FUNCTION, 45, ()),))))
    inner = int.from_bytes(content[12:16], "little")
    content[inner + 8] = 1
    with pytest.raises(UndecodableRecord):
        decode_term(bytes(content))


def test_depth_is_bounded() -> None:
    term: MdsTerm = NodeRef(1)
    for _ in range(DEPTH_MAX):
        term = MdsRecord(FUNCTION, 45, (term, NodeRef(2)))
    assert decode_term(serialized(term)) == term
    with pytest.raises(UndecodableRecord, match="nested deeper"):
        decode_term(serialized(MdsRecord(FUNCTION, 258, (term,))))


def test_a_dispatch_knows_its_code() -> None:
    dispatch = MdsRecord(DISPATCH, 2, (MdsText("SRV_A"), MdsText("INIT"), Number(10), Nothing()))
    assert decode_term(serialized(dispatch)) == dispatch
