"""The tasks of the plans, and the functions, that the queue server's own tests run."""

import json
import os
from pathlib import Path
from time import sleep
from typing import Any

# Beside the manager's other files: each call may be another worker's.
BUFFER = Path(os.environ.get("SHOTLINE_TEST_BUFFER", "buffer.json"))
LAST_S = 0.5  # clients are to see that even a quick plan runs
UP = "\x1b[A"  # a terminal's cursor goes a line up

# Devices are not there at once: their users are to see that the environment is being opened.
sleep(float(os.environ.get("SHOTLINE_TEST_LOADING_S", "0")))


def reading(left: int) -> None:
    """Take a reading, where the plan has so many; `left` with this one."""
    asked = _asked()
    many = asked.get("num", 1)
    if left <= many:
        print(f"reading {many - left + 1} of {many}")
        sleep(max(asked.get("delay", 0.0), LAST_S if left == 1 else 0.0))


def progress_bars() -> None:
    """Print progress bars, each over its last state."""
    many = _asked().get("n_progress_bars", 1)
    print(f"TESTING {many} PROGRESS BARS ...\n")
    for done in range(0, 101, 25):
        for number in range(1, many + 1):
            print(f"TEST{number}: {done:3} %")
        if done < 100:
            print(UP * many, end="")
        sleep(0.2)
    print("\nTEST COMPLETED ...")


def _asked() -> dict[str, Any]:
    return json.loads(os.environ.get("SHOTLINE_VARIABLES", "{}"))


def function_sleep(time: float) -> dict[str, Any]:
    """Take `time` seconds."""
    print(f"sleeping for {time} s")
    sleep(time)
    return {"success": True, "time": time}


def push_buffer_element(element: Any) -> None:
    """Put something behind what is in the buffer."""
    BUFFER.write_text(json.dumps([*_buffer(), element]))


def pop_buffer_element() -> Any:
    """Take what is first in the buffer."""
    first, *rest = _buffer()
    BUFFER.write_text(json.dumps(rest))
    return first


def clear_buffer() -> None:
    """Forget what is in the buffer."""
    BUFFER.unlink(missing_ok=True)


def _buffer() -> list[Any]:
    return json.loads(BUFFER.read_text()) if BUFFER.exists() else []
