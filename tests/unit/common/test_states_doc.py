"""`docs/states.md` is drawn from the tables of `common/actions.py` and cannot drift from them.

Run this file as a program to draw the page's parts again.
"""

from pathlib import Path

from shotline.common.actions import (
    SETTLED_CAUSES,
    TRANSITIONS,
    ActionState,
    Cause,
    Status,
    colour_of,
)

PAGE = Path(__file__).resolve().parents[3] / "docs" / "states.md"
BEGIN, END = "<!-- drawn: {} -->", "<!-- end: {} -->"

S = ActionState
ARROWS = {
    (S.NOT_DISPATCHED, S.NOT_DISPATCHED): "settled by a cause, or pending again",
    (S.NOT_DISPATCHED, S.DISPATCHED): "journalled, then sent",
    (S.NOT_DISPATCHED, S.SERVER_OFF): "no live server for the grace time",
    (S.DISPATCHED, S.NOT_DISPATCHED): "came back, proven never started",
    (S.DISPATCHED, S.DISPATCHED): "aborting",
    (S.DISPATCHED, S.DOING): "a worker process started it",
    (S.DISPATCHED, S.DONE): "start and end came together",
    (S.DISPATCHED, S.ABORTED): "operator, or its server was lost or has it no more",
    (S.DISPATCHED, S.SERVER_OFF): "its mdsip server went on working for another shot",
    (S.DOING, S.DOING): "aborting",
    (S.DOING, S.DONE): "returned, raised, timed out, or its worker died",
    (S.DOING, S.ABORTED): "operator, or its server was lost or has it no more",
    (S.DOING, S.SERVER_OFF): "its mdsip server went on working for another shot",
    (S.DONE, S.NOT_DISPATCHED): "a new run or a redispatch",
    (S.DONE, S.DONE): "its outcome became known, or its url was cleared",
    (S.ABORTED, S.NOT_DISPATCHED): "a new run or a redispatch",
    (S.ABORTED, S.ABORTED): "its outcome became known, or its url was cleared",
    (S.SERVER_OFF, S.NOT_DISPATCHED): "a new run or a redispatch",
}
CAUSES = {
    Cause.RESULT: "the task returned or raised",
    Cause.TIMEOUT: "it was ended at its time limit",
    Cause.WORKER_DIED: "its worker process died under it",
    Cause.OPERATOR: "somebody aborted it",
    Cause.SERVER_LOST: "its server ended or was lost while it had the action",
    Cause.FORGOTTEN: "its server has it no more, and how it ended is not known here",
    Cause.NO_SERVER: "no live server for the grace time, or its mdsip url was busy too long",
    Cause.OFF: "the node or a parent is switched off",
    Cause.ASYNCHRONOUS: "asynchronous actions are shown, never dispatched",
    Cause.UNREADABLE: "the node cannot be read",
    Cause.BAD_NUMBER: "its sequence number is 0 or below",
    Cause.CONDITION_FALSE: "its condition is false",
    Cause.CANNOT_HAPPEN: "what it waits for cannot come any more in this run",
    Cause.ABORTED_BEFORE_SENT: "somebody removed it from the queue",
}


def diagram() -> str:
    """All arrows of TRANSITIONS."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {S.NOT_DISPATCHED}"]
    for state in S:
        lines += [
            f"    {state} --> {following}: {ARROWS[state, following]}"
            for following in S
            if following in TRANSITIONS[state]
        ]
    return "\n".join([*lines, "```"])


def causes() -> str:
    """Each cause with the state that it settles, and the colour that people see."""
    lines = ["| state | cause | what happened | colour |", "| --- | --- | --- | --- |"]
    for state in S:
        for cause in Cause:
            if cause in SETTLED_CAUSES[state]:
                statuses = [None] if state is not S.DONE else list(Status)
                if cause in (Cause.TIMEOUT, Cause.WORKER_DIED):
                    statuses = [Status.FAILURE]
                colours = " or ".join(str(colour_of(state, s, cause)) for s in statuses)
                lines.append(f"| {state} | `{cause}` | {CAUSES[cause]} | {colours} |")
    return "\n".join(lines)


PARTS = {"diagram": diagram, "causes": causes}


def redrawn(page: str) -> str:
    """The page with its drawn parts as they should be."""
    for name, draw in PARTS.items():
        begin, end = BEGIN.format(name), END.format(name)
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        assert after, f"the page has no part {name}"
        page = f"{before}{begin}\n{draw()}\n{end}{after}"
    return page


def test_the_page_shows_the_transitions_and_causes_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == redrawn(page), f"draw it again: python {Path(__file__).name}"


def test_every_arrow_and_every_cause_is_explained_and_no_other() -> None:
    arrows = {(state, following) for state in S for following in TRANSITIONS[state]}
    assert set(ARROWS) == arrows
    assert set(CAUSES) == set(Cause) == set().union(*SETTLED_CAUSES.values())


def test_a_changed_diagram_would_be_noticed() -> None:
    page = PAGE.read_text(encoding="utf-8")
    first = next(line for line in diagram().splitlines() if "DONE" in line)
    assert redrawn(page.replace(first, "")) == page != page.replace(first, "")


if __name__ == "__main__":
    PAGE.write_text(redrawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
