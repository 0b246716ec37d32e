"""How the product starts Python, and processes that end with whoever has started them.

The folder that happens to be the current one gives no modules: a file `random.py` or `signal.py`
there would take the place of the standard library's, and nothing would start. Where a site's own
modules are is in the configuration (`task_path`), and in PYTHONPATH.
"""

import os
import sys
from collections.abc import Mapping
from typing import Final

_PATH: Final = "PYTHONPATH"

_LAUNCHER: Final = """
import os, signal, sys
if sys.platform == "linux":
    import ctypes
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the process that wanted this one is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of ours as a program, with this interpreter."""
    return [sys.executable, "-P", "-m", module, *arguments]


def tied(program: str, *arguments: str) -> list[str]:
    """Return a command that runs a program, which the kernel ends with the *thread* that starts it.

    It is ended by TERM, in order. It becomes the program by exec, so that the process id stays.
    """
    return [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), program, *arguments]


def environment(inherited: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of such a program: `inherited`, by default our own.

    An empty entry of PYTHONPATH, as `PYTHONPATH=/opt/lab:$PYTHONPATH` leaves it, means the current
    folder to Python, and before everything else; it is left out.
    """
    given = dict(os.environ if inherited is None else inherited)
    entries = [entry for entry in given.pop(_PATH, "").split(os.pathsep) if entry not in ("", ".")]
    if entries:
        given[_PATH] = os.pathsep.join(entries)
    return given
