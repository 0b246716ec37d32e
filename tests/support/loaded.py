"""What a new interpreter loads."""

import os
import subprocess
import sys
from collections.abc import Mapping


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
