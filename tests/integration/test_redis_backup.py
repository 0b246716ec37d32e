"""Backup and restore of the journal, by the very commands of docs/redis.md, with a real Redis."""

import re
import subprocess
from pathlib import Path

from tests.support.faults import ACTIONS, ALL_GOOD, Pulse, assert_all_good, stack_of
from tests.support.stack import DEADLINE_S, Stack

DOCS = Path(__file__).resolve().parents[2] / "docs" / "redis.md"
OTHERWISE_HELD = {"dispatcher": {"resume_within_s": 0}}


def commands() -> list[str]:
    """Return the scripts of the chapter: the backup, and the restoring."""
    chapter = DOCS.read_text(encoding="utf-8").partition("\n## Backup and restore\n")[2]
    backup, restoring = re.findall(r"```sh\n(.*?)```", chapter.partition("\n## ")[0], re.S)
    return [backup, restoring]


def carry_out(script: str, stack: Stack) -> None:
    """Do as it stands there, where the data folder `var` is."""
    script = script.replace("5573", str(stack.config.redis.port))
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=stack.folder,
        check=True,
        timeout=DEADLINE_S,
    )


def test_what_was_backed_up_is_there_again(tmp_path: Path) -> None:
    backup, restoring = commands()
    stack = stack_of(tmp_path, ("A:1", "B:1"), *ACTIONS, settings=OTHERWISE_HELD)
    with stack:
        ended = Pulse(stack, 1)
        ended.open("a", "b")
        assert_all_good(ended, ended.begin())
        records = ended.records()
        with stack.supervisor() as shotline:
            output = shotline.logs("A_FIRST", *ended.key).lines
            asked_for = [one for one in shotline.audit().lines if one.shot == 1]
        assert [line.text for line in output] == ["A_FIRST is over"]
        assert "do_phase" in {one.verb for one in asked_for}
        under_way = Pulse(stack, 2)
        report = under_way.begin()
        under_way.wait_doing("A_FIRST", "B_FIRST")
        carry_out(backup, stack)
        under_way.open("a", "b")
        report.result()
        Pulse(stack, 3)
    carry_out(restoring, stack)
    with stack, stack.supervisor() as shotline:
        assert {shot.shot for shot in shotline.shots().shots} == {1, 2}
        assert ended.records() == records
        assert ended.ends_by_name() == ALL_GOOD
        assert shotline.logs("A_FIRST", *ended.key).lines == output
        assert list(shotline.audit(shot=1, tree="TEST").lines) == asked_for
        (shot,) = (one for one in shotline.status().shots if one.shot == 2)
        assert shot.runs[-1].state == "held"
        shotline.abort("TEST", 2)
        following = Pulse(stack, 4)
        following.open("a", "b")
        assert_all_good(following, following.begin())
