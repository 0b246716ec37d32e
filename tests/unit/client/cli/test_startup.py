"""What a start of the command or of the library loads: nothing that only carrying out needs."""

import pytest
from tests.support.loaded import loaded

HEAVY = {"asyncio", "pydantic", "redis", "rich", "tornado", "yaml", "zmq"}


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
