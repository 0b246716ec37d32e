"""How the product starts Python, tried with the real interpreter."""

import re
import subprocess
from pathlib import Path

import pytest

from shotline.common.process import interpreter

ROOT = Path(__file__).resolve().parents[3]
CODE = ("action_server", "bridges", "broker", "client", "common", "dispatcher", "monitor", "trees")


@pytest.mark.parametrize("path", [None, "", ".", "/opt/lab:", ":/opt/lab", "/opt/lab::/opt/more:."])
def test_the_current_folder_hides_nothing(tmp_path: Path, path: str | None) -> None:
    for name in ("random", "signal", "runpy", "json"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the wrong one')\n")
    given = {} if path is None else {"PYTHONPATH": path}
    done = subprocess.run(
        interpreter.python("json.tool", "--help"),
        cwd=tmp_path,
        env=interpreter.environment(given),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_else_the_environment_says_stays() -> None:
    given = {"PYTHONPATH": "/opt/lab::lib:.", "HOME": "/home"}
    assert interpreter.environment(given) == {"PYTHONPATH": "/opt/lab:lib", "HOME": "/home"}
    assert interpreter.environment({"PYTHONPATH": ":"}) == {}


def test_every_python_that_the_product_starts_is_started_so() -> None:
    others = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for folder in CODE
        for file in sorted((ROOT / folder).rglob("*.py"))
        if file.name != "interpreter.py"
        for line in file.read_text(encoding="utf-8").splitlines()
        # -I leaves the current folder out, too; the others only look where the program is.
        if re.search(r"sys\.executable", line) and not re.search(r'"-I"|Path\(sys', line)
    ]
    assert others == []
