"""The README's supervisor does what stands there, as it stands there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support import documents
from tests.support.stack import DEADLINE_S, Stack

README = Path(__file__).resolve().parents[2] / "README.md"
EXPERIMENT = """
experiment: TEST
phases: {INIT: 1, PULSE: 2, STORE: 3}
actions:
  - {path: ARM, server_class: A, phase: INIT, when: 10, task: {shell: [sh, -c, "%s"]}}
  - {path: FIRE, server_class: A, phase: PULSE, when: 10, task: {shell: [sh, -c, "%s"]}}
  - {path: KEEP, server_class: A, phase: STORE, when: 10, task: {sleep: 0}}
"""


@pytest.mark.parametrize(
    ("arm", "fire", "code", "told"),
    [
        ("exit 0", "exit 0", 0, "INIT good\nPULSE good\nSTORE good\n"),
        ("exit 3", "exit 0", 1, "INIT FAILED\n  \\TEST::TOP:ARM Failure exit code 3\n"),
        (
            "exit 0",
            "exit 3",
            1,
            "INIT good\nPULSE FAILED\n  \\TEST::TOP:FIRE Failure exit code 3\nSTORE good\n",
        ),
    ],
)
def test_the_supervisor_of_the_readme(
    tmp_path: Path, arm: str, fire: str, code: int, told: str
) -> None:
    (found,) = [block.text for block in documents.blocks(README) if block.language == "python"]
    (tmp_path / "experiment.yaml").write_text(EXPERIMENT % (arm, fire))
    stack = Stack(tmp_path, ("A:1",), {"TEST": tmp_path / "experiment.yaml"})
    stack.make_keys()
    with stack:
        done = subprocess.run(
            [sys.executable, "-c", found],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            env={**os.environ, "SHOTLINE_CONFIG": str(stack.config_file)},
        )
    assert (done.stdout, done.returncode) == (told, code), done.stderr
