"""What a start of the command or of the library loads: nothing that only carrying out needs."""

import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

HEAVY = {"asyncio", "pydantic", "redis", "rich", "tornado", "yaml", "zmq"}


def loaded(code: str, environment: Mapping[str, str] | None = None) -> set[str]:
    """Return the top-level packages that a new interpreter has loaded after this code."""
    ended = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
    done = subprocess.run(
        [sys.executable, "-c", ended + code],
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    return {name.partition(".")[0] for name in done.stderr.split()}


def command(*words: str) -> str:
    return f"import sys; sys.argv = ['shotline', *{list(words)}]\n" + (
        "from shotline.client.cli.main import main; main()"
    )


@pytest.mark.parametrize("words", [("--help",), ("do-phase", "--help"), ("up", "--help")])
def test_help_loads_nothing_that_only_a_command_needs(words: tuple[str, ...]) -> None:
    assert not loaded(command(*words)) & HEAVY


def test_completing_a_word_loads_nothing_that_only_a_command_needs() -> None:
    asked = {
        "_SHOTLINE_COMPLETE": "bash_complete",
        "COMP_WORDS": "shotline do-p",
        "COMP_CWORD": "1",
        "COMP_LINE": "shotline do-p",
        "COMP_POINT": "13",
    }
    assert not loaded(command(), asked) & HEAVY


def test_the_library_loads_nothing_that_only_a_connection_needs() -> None:
    assert not loaded("import shotline.client.supervisor") & HEAVY


def test_a_supervisor_loads_no_event_loop_and_no_configuration() -> None:
    code = "from shotline.client.supervisor import Supervisor\n"
    found = loaded(code + "Supervisor('tcp://127.0.0.1:1')._connection")
    assert "zmq" in found
    assert not found & {"asyncio", "redis", "rich", "tornado", "yaml"}
