"""The supervisors have a method for each verb."""

from pathlib import Path

from tools.methods import written

from shotline.client import methods

MODULE = Path(methods.__file__).read_text(encoding="utf-8")


def test_the_methods_are_those_of_the_verbs() -> None:
    assert written(MODULE) == MODULE, "write them anew: make schema"


def test_a_verb_that_is_missing_is_added() -> None:
    lines = MODULE.splitlines(keepends=True)
    without = "".join(line for line in lines if "shot_verbs.hold)" not in line)
    assert without != MODULE
    assert written(without) == MODULE
