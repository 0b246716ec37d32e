"""Where the time of one daemon goes: a workload on Shotline alone, the daemon under cProfile.

    python -m bench.profiling W2 --daemon dispatcher --file var/W2.prof

The profile itself costs time: compare shares, not figures.
"""

import argparse
import pstats
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.__main__ import forms_of
from bench.daemons import PROGRAMS, Form, usual_form
from bench.harness import ActionStack
from bench.suite import ACTION_WORKLOADS
from bench.workloads import Sizes, Workload

LINES: Final = 40


def main() -> None:
    """Profile, show the top, and keep all of it where a file is named."""
    parser = argparse.ArgumentParser(prog="python -m bench.profiling", description=__doc__)
    parser.add_argument("workload", type=Workload, choices=list(Workload))
    parser.add_argument("--daemons", type=Form, choices=list(Form), default=usual_form())
    parser.add_argument(
        "--daemon", metavar="NAME", help="broker, dispatcher, hub, or a server: BENCH:1"
    )
    parser.add_argument("--file", type=Path)
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    (form,) = forms_of([options.daemons])
    daemon = options.daemon or PROGRAMS[form][-1]
    (workload,) = (one for one in ACTION_WORKLOADS if one.name == options.workload)
    sizes = Sizes().scaled(options.scale)
    with tempfile.TemporaryDirectory(prefix="shotline-bench-") as folder:
        file = (options.file or Path(folder) / "profile").absolute()
        with ActionStack([workload], sizes, Path(folder) / form, form, {daemon: file}) as stack:
            run = stack.ready(workload)
            begin = time.perf_counter()
            for _ in range(sizes.single if workload.name == Workload.W1 else 1):
                run()
            print(f"{workload.name} took {time.perf_counter() - begin:.2f} s, {daemon} profiled")
        pstats.Stats(str(file)).sort_stats("tottime").print_stats(LINES)


if __name__ == "__main__":
    main()
