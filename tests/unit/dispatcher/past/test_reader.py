"""Looking back: what is found, where an answer ends and goes on, what two shots differ in."""

from collections.abc import Iterator

import pytest

from shotline.client.errors import Refused
from shotline.client.exports.shot_files import shot_pieces
from shotline.client.exports.shot_report import csv_of, html_of
from shotline.client.fake import FakeAction, FakeShotline
from shotline.client.verbs import past_verbs
from shotline.common.past.shotfile import FileEntry, FileHead, OutputPart, read_lines
from shotline.common.past.views import SearchResult
from shotline.dispatcher.past import folding
from shotline.dispatcher.past.numbers import course_of


@pytest.fixture
def shotline() -> Iterator[FakeShotline]:
    actions = [
        FakeAction("GAS:PUFF", "PULSE", "GAS", 10),
        FakeAction("CAMERA:ARM", "PULSE", "DAQ", 20),
    ]
    with FakeShotline({"TEST": actions}) as made:
        for shot in (1, 2, 3):
            made.create_pulse("TEST", shot)
            made.build_tables("TEST", shot)
            if shot == 2:
                made.fails("CAMERA:ARM", "the shutter is stuck")
            made.do_phase("PULSE")
            if shot == 2:
                made.succeeds("CAMERA:ARM")
        yield made


def test_shots_are_found_the_newest_first_and_so_many_at_a_time(shotline: FakeShotline) -> None:
    first = shotline.find_shots(limit=2)
    assert [one.shot for one in first.shots] == [3, 2]
    assert first.next is not None
    rest = shotline.find_shots(limit=2, before=first.next)
    assert [one.shot for one in rest.shots] == [1]
    assert rest.next is None
    assert [one.shot for one in shotline.find_shots(failed=True).shots] == [2]
    assert [one.shot for one in shotline.find_shots(words="test/3").shots] == [3]
    with pytest.raises(Refused, match="`before` is not what an answer had"):
        shotline.find_shots(before="nonsense")


def test_failures_are_told_with_what_came_since(shotline: FakeShotline) -> None:
    (failed,) = shotline.failures().failures
    assert (failed.shot, failed.name, failed.attempt, failed.since) == (2, "CAMERA:ARM", 1, "")
    assert "the shutter is stuck" in failed.reason
    shotline.dispatch("CAMERA:ARM", "TEST", 2)
    (failed,) = shotline.failures("TEST").failures
    assert failed.since == "attempt 2: Success"
    assert shotline.failures(since=failed.at + 1).failures == ()


def test_a_search_ends_where_its_work_is_done_and_goes_on(
    shotline: FakeShotline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "SHOTS_MAX", 0)  # what is in memory costs nothing
    whole = shotline.search("camera arm", where=("action",))
    assert [one.shot for one in whole.found] == [3, 2, 1]
    monkeypatch.setattr(folding, "RECORDS_MAX", 1)
    found: list[int] = []
    before: str | None = None
    pages = 0
    while pages == 0 or before is not None:
        page: SearchResult = shotline.search("camera", where=("action",), before=before)
        assert page.looked_at <= 1, "one shot is all the work of an answer"
        found += [one.shot for one in page.found]
        before, pages = page.next, pages + 1
    assert found == [3, 2, 1]
    assert pages == 3


def test_a_search_goes_on_inside_of_a_shot(shotline: FakeShotline) -> None:
    whole = shotline.search("a")
    found = []
    before: str | None = None
    for _ in range(100):
        page = shotline.search("a", limit=1, before=before)
        found += page.found
        before = page.next
        if before is None:
            break
    assert found == list(whole.found)
    assert len(found) > 6


def test_all_words_must_be_in_one_text(shotline: FakeShotline) -> None:
    assert [one.shot for one in shotline.search("STUCK shutter", where=("reason",)).found] == [2]
    assert shotline.search("stuck camera", where=("reason",)).found == ()
    with pytest.raises(Refused, match="give the words"):
        shotline.search("   ")


def test_two_shots_are_compared(shotline: FakeShotline) -> None:
    result = shotline.compare("TEST/1", "TEST/2")
    assert result.left is not None
    assert result.right is not None
    assert (result.left.shot, result.right.shot) == (1, 2)
    assert result.totals == {"same": 1, "differ": 1, "added": 0, "removed": 0, "newly_failed": 1}
    (differs,) = shotline.compare("test/1", "TEST/2", differing=True).actions
    assert differs.name == "CAMERA:ARM"
    assert differs.differs == ("outcome", "reason")
    with pytest.raises(Refused, match="nothing is known of TEST/9"):
        shotline.compare("TEST/1", "TEST/9")


def test_one_action_over_the_shots(shotline: FakeShotline) -> None:
    result = shotline.trend("TEST", "CAMERA:ARM")
    assert [(one.shot, one.failed) for one in result.points] == [(1, False), (2, True), (3, False)]
    assert result.measured == 2
    assert result.trend == "unknown"
    with pytest.raises(Refused):
        shotline.trend("TEST", "NOTHING:SUCH")


@pytest.mark.parametrize(
    ("durations", "trend"),
    [
        ([1.0] * 20, "steady"),
        ([1.0, 1.1] * 10, "steady"),
        ([1 + 0.05 * n for n in range(20)], "longer"),
        ([3 - 0.05 * n for n in range(20)], "shorter"),
        ([1.0, 2.0, 3.0], "unknown"),
        ([1 + 0.05 * n if n != 7 else 900.0 for n in range(20)], "longer"),
    ],
)
def test_a_trend_is_told_where_chance_would_hardly_show_it(
    durations: list[float], trend: str
) -> None:
    course = course_of(durations)
    assert course is not None
    assert course.trend == trend
    assert course.low_s <= course.median_s <= course.high_s


def test_nothing_has_no_course() -> None:
    assert course_of([]) is None


def test_notes_are_written_changed_and_removed_and_leave_a_trace(shotline: FakeShotline) -> None:
    first = shotline.note("TEST", 2, "valve 3").note
    assert (first.note, first.text, first.path) == (1, "valve 3", "")
    assert first.by
    on_action = shotline.note("TEST", 2, "see <b>logbook</b>", path="CAMERA:ARM").note
    assert on_action.path == "CAMERA:ARM"
    changed = shotline.note("TEST", 2, "valve 4", note=1).note
    assert (changed.note, changed.text, changed.first_by) == (1, "valve 4", first.by)
    shotline.note("TEST", 2, note=2, remove=True)
    story = shotline.show("CAMERA:ARM", "TEST/2")
    assert [(one.note, one.removed, one.text) for one in story.notes] == [(2, True, "")]
    (shot,) = shotline.find_shots(noted=True).shots
    assert [one.note for one in shot.notes] == [1, 2]
    assert [one.text for one in shotline.search("valve", where=("note",)).found] == ["valve 4"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"text": ""}, "no text"),
        ({"text": " \n "}, "no text"),
        ({"text": "x", "path": "NOTHING:SUCH"}, "NOTHING:SUCH"),
        ({"text": "x", "note": 7}, "no note 7"),
        ({"note": 1}, "another text for the note, or remove it"),
        ({"text": "x", "note": 1, "remove": True}, "another text for the note, or remove it"),
        ({"remove": True}, "say the number"),
    ],
)
def test_a_note_that_says_nothing_is_refused(
    shotline: FakeShotline, asked: dict[str, object], words: str
) -> None:
    shotline.note("TEST", 1, "there")
    with pytest.raises(Refused, match=words):
        shotline.ask(past_verbs.note("TEST", 1, **asked))  # type: ignore[arg-type]
    (shot,) = shotline.find_shots(noted=True).shots
    assert [one.text for one in shot.notes] == ["there"], "nothing has changed"


def export(shotline: FakeShotline, shot: int) -> bytes:
    def texts() -> Iterator[str]:
        place: str | None = ""
        while place is not None:
            page = shotline.export("TEST", shot, place=place)
            yield page.text
            place = page.next

    return b"".join(shot_pieces(texts()))


def test_a_shot_is_exported_whole_in_pieces_of_any_size(
    shotline: FakeShotline, monkeypatch: pytest.MonkeyPatch
) -> None:
    shotline.note("TEST", 2, "exported, too")
    whole = [line for _, line in read_lines([export(shotline, 2)])]
    assert isinstance(whole[0], FileHead)
    assert whole[0].view.notes[0].text == "exported, too"
    monkeypatch.setattr("shotline.dispatcher.core.PAGE_BYTES_MAX", 100)
    again = [line for _, line in read_lines([export(shotline, 2)])]
    assert again[1:] == whole[1:]
    kinds = [type(line) for line in whole[1:-1]]
    assert set(kinds) <= {FileEntry, OutputPart}
    with pytest.raises(Refused, match="nothing is known of TEST/9"):
        shotline.export("TEST", 9)


def test_text_of_trees_and_people_stands_as_text_in_a_report(shotline: FakeShotline) -> None:
    shotline.note("TEST", 2, "<script>alert(1)</script> & more")
    result = shotline.actions("TEST", 2)
    page = "".join(html_of(result))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in page
    assert "the shutter is stuck" in page
    assert "Failed (1)" in page
    assert "@media print" in page
    head, *rows = "".join(csv_of(result)).splitlines()
    assert head.startswith("experiment,shot,path")
    assert len(rows) == 2
