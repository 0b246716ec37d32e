"""The tasks of the plans that the queue server's own tests run."""

import json
import os
import time


def reading(number: int) -> None:
    """Take a reading, where the plan has so many."""
    asked = json.loads(os.environ.get("SHOTLINE_VARIABLES", "{}"))
    many = asked.get("num", 1)
    if number <= many:
        print(f"reading {number} of {many}")
        time.sleep(asked.get("delay", 0.0))
