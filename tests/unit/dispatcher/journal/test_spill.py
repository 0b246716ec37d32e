"""The spill file: what was confirmed is there after a cut at any byte, and nothing else is."""

import errno
import os
import shutil
from pathlib import Path

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shotline.common.channels import QUEUE
from shotline.common.errors import JournalError
from shotline.common.queue.records import QueueMark
from shotline.common.records import (
    CommandDone,
    Commit,
    Mark,
    ShotKey,
    StoredOutput,
    decode_records,
)
from shotline.dispatcher.journal import EncodedCommit, encode_commit
from shotline.dispatcher.journal.commit import pack_commit, unpack_commit
from shotline.dispatcher.journal.spill import SpillFile, SpillFull

DATA = [b"first", b"", b"\x00\xff" * 20]


def frames(spill: SpillFile) -> list[bytes]:
    return [data for _, data in spill.frames()]


def written(path: Path) -> None:
    spill = SpillFile(path, 1000)
    for data in DATA:
        spill.append(data)
    spill.close()


def test_frames_come_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "made" / "spill"
    written(path)
    spill = SpillFile(path, 1000)
    assert frames(spill) == DATA
    assert path.stat().st_mode & 0o777 == 0o600
    spill.close()


def test_a_file_cut_at_any_byte_holds_the_frames_before(tmp_path: Path) -> None:
    path = tmp_path / "spill"
    written(path)
    whole = path.read_bytes()
    ends = [8 + 5, 16 + 5, 24 + 45]
    assert len(whole) == ends[-1]
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        spill = SpillFile(path, 1000)
        assert frames(spill) == DATA[: sum(end <= length for end in ends)]
        spill.append(b"after")
        assert frames(spill)[-1] == b"after"
        spill.close()
        spill = SpillFile(path, 1000)
        assert frames(spill)[-1] == b"after"
        spill.close()


def test_a_damaged_byte_ends_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "spill"
    written(path)
    whole = path.read_bytes()
    for index in range(len(whole)):
        damaged = bytearray(whole)
        damaged[index] ^= 0x10
        path.write_bytes(damaged)
        spill = SpillFile(path, 1000)
        found = frames(spill)
        assert found == DATA[: len(found)]
        assert len(found) < len(DATA)
        spill.close()


def test_what_is_no_whole_frame_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "spill"
    written(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:9] + b"!" + whole[10:])
    spill = SpillFile(path, 1000)
    assert frames(spill) == []
    kept = spill.keep_rest()
    assert kept == (len(whole), tmp_path / "spill.set-aside-1")
    assert kept[1].read_bytes() == whole[:9] + b"!" + whole[10:]
    assert kept[1].stat().st_mode & 0o777 == 0o600
    assert spill.keep_rest() is None
    spill.append(b"after")
    assert frames(spill) == [b"after"]
    spill.close()


def test_a_full_file_stays_as_it_was(tmp_path: Path) -> None:
    spill = SpillFile(tmp_path / "spill", 30)
    spill.append(b"x" * 20)
    with pytest.raises(SpillFull, match="is full"):
        spill.append(b"y")
    assert frames(spill) == [b"x" * 20]
    spill.clear()
    spill.append(b"y")
    assert frames(spill) == [b"y"]
    spill.close()


def test_a_failed_write_leaves_nothing_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spill = SpillFile(tmp_path / "spill", 1000)
    spill.append(b"first")

    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", no_space)
        with pytest.raises(OSError, match="No space"):
            spill.append(b"a long one that was not confirmed")
    spill.append(b"2")
    spill.close()
    again = SpillFile(tmp_path / "spill", 1000)
    assert frames(again) == [b"first", b"2"]
    again.close()


def test_frames_that_are_set_aside_stay_readable(tmp_path: Path) -> None:
    path = tmp_path / "spill"
    written(path)
    spill = SpillFile(path, 1000)
    aside = spill.set_aside()
    assert frames(spill) == []
    spill.append(b"next")
    second = spill.set_aside()
    spill.close()
    assert second != aside
    kept = SpillFile(aside, 1000)
    assert frames(kept) == DATA
    kept.close()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="cannot be opened"):
        SpillFile(tmp_path / "file" / "spill", 1000)


keys = st.builds(ShotKey, st.sampled_from(("TEST", "OTHER")), st.integers(1, 3))
marks = st.lists(st.builds(Mark, time=st.floats(0, 1e10)), min_size=1).map(tuple)
pieces = st.lists(st.tuples(st.floats(0, 1e10), st.integers(0, 2), st.binary())).map(tuple)
outputs = st.builds(
    StoredOutput,
    *(st.just("TEST"), st.integers(1, 3), st.text(), st.integers(1, 9), st.integers(0, 99)),
    pieces,
)
commands = st.builds(CommandDone, time=st.just(1.0), command=st.text(), reply=st.text())
queue_marks = st.builds(QueueMark, time=st.floats(0, 2e9))
commits = st.builds(
    Commit,
    *(st.integers(1, 2**40), st.integers(1, 2**40), st.dictionaries(keys, marks)),
    *(st.lists(commands).map(tuple), st.lists(outputs).map(tuple)),
    st.dictionaries(st.just(QUEUE), st.lists(queue_marks, min_size=1).map(tuple)),
)


@given(commits)
def test_a_commit_comes_back_from_the_file(commit: Commit) -> None:
    encoded = encode_commit(commit)
    assert unpack_commit(pack_commit(encoded)) == encoded
    for shot, records in commit.shots.items():
        assert decode_records(encoded.shots[shot].body) == records


def test_a_file_of_a_former_version_has_the_queues_records() -> None:
    mark = QueueMark(time=1.0)
    encoded = encode_commit(Commit(1, 2, {}, hosted={QUEUE: (mark,)}))
    form, *rest, hosted = msgpack.unpackb(pack_commit(encoded), use_list=False)
    assert form == 3
    assert unpack_commit(msgpack.packb((2, *rest, hosted[QUEUE]))) == encoded


@given(st.binary())
def test_other_bytes_are_refused_in_words(data: bytes) -> None:
    with pytest.raises(JournalError, match="the spill file holds"):
        assert isinstance(unpack_commit(data), EncodedCommit)


def test_a_name_is_the_files_own_and_a_copy_has_another(tmp_path: Path) -> None:
    spill = SpillFile(tmp_path / "one" / "spill", 1000)
    name = spill.name()
    assert name
    assert spill.name() == name
    spill.close()
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    again, copy = (SpillFile(tmp_path / folder / "spill", 1000) for folder in ("one", "two"))
    assert again.name() == name
    assert copy.name() not in ("", name)
    for one in (again, copy):
        one.close()


def test_where_no_name_can_be_kept_there_is_none(tmp_path: Path) -> None:
    spill = SpillFile(tmp_path / "spill", 1000)
    (tmp_path / "spill.name").mkdir()
    assert spill.name() == ""
    spill.close()
