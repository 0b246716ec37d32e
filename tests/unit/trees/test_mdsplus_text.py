"""Decompiled actions as text: the parts that people know."""

import pytest

from shotline.trees.mdsplus_text import arguments, split_action_text


@pytest.mark.parametrize(
    ("text", "when", "task"),
    [
        (
            'Build_Action(Build_Dispatch(2, "A", "P", 10, *), (WRITE(*, "x, y)"), 1), *, *, *)',
            "10",
            'WRITE(*, "x, y)"), 1',
        ),
        (
            'Build_Action(Build_Dispatch(2, "A", "P", (X && Y) || (Z), "E"), F(), *, *, *)',
            "(X && Y) || (Z)",
            "F()",
        ),
        (
            'Build_Action(Build_Dispatch(2, "A", "P", !X, *), EXECUTE(\'w("a\\\'b")\'), *, *, *)',
            "!X",
            "EXECUTE('w(\"a\\'b\")')",
        ),
        ("Build_Action(*, 1, *, *, *)", "", "1"),
        ("Build_Action(", "", ""),
        ("something else", "", ""),
        ("", "", ""),
    ],
)
def test_when_and_task(text: str, when: str, task: str) -> None:
    assert split_action_text(text) == (when, task)


def test_arguments_of_the_wrong_function() -> None:
    assert arguments("f(1, 2)", "g") == []
    assert arguments("f(1) + f(2)", "f") == []
    assert arguments("F([1, 2], 3)", "f") == ["[1, 2]", "3"]
