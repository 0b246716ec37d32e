"""A site with a real MDSplus, for the tests that need one: trees, a device, an mdsip server.

Trees are made by a process of their own (`python -m tests.support.mdsplus_site FOLDER`):

* TEST: the recorded tree, from the texts in `mdsip/actions.json`. Its two routines call MDSplus'
  own library here, since the one of the recording is a compiled one.
* FORMS: one action for each spelling of `when` and of the other parts, see `FORMS` and `PARTS`;
  some below a parent that is off, and some in the subtree SUB.
* OUTPUT: actions that write in every way that MDSplus has.

Only this process and those that the tests start import MDSplus.
"""

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.support.ports import free_ports
from tests.support.stack import eventually

# Found now: MDSplus gives the main module another `__file__`.
ROOT: Final = Path(__file__).parents[2]
RECORDED: Final = Path(__file__).parent / "mdsip" / "actions.json"

HAS_MDSPLUS: Final = importlib.util.find_spec("MDSplus") is not None
WITHOUT_MDSPLUS: Final = "needs an MDSplus installation: `import MDSplus` fails here"
MDSIP: Final = shutil.which("mdsip") if HAS_MDSPLUS else None
WITHOUT_MDSIP: Final = "needs an MDSplus installation with its `mdsip` program in the PATH"

IGNORING_INT: Final = ("/bin/sh", "-c", 'trap "" INT; exec "$0" "$@"')

TREES: Final = ("test", "forms", "sub", "output")

ROUTINES: Final = {
    'Build_Routine(3D0, "testact", "act_ok")': 'Build_Routine(3D0, "MdsShr", "LibWait", 0.)',
    'Build_Routine(1D0, "testact", "act_sleep", VAL(5))': (
        'Build_Routine(1D0, "MdsShr", "LibWait", 5.)'
    ),
}

FORMS: Final = (
    # What stands as `when`, and what it means: a number, a condition in words, or why neither.
    ("10", 10),
    ("5+5", 10),
    ("2*5", 10),
    ("25/10", 2),
    ("-3", -3),
    ("0", 0),
    ("10.0", 10),
    ("2.5", "is not a whole number (2.5)"),
    ("10U", 10),
    ("10QU", 10),
    ("1D1", 10),
    ("NUM", 20),
    ("NUM+1", 21),
    ("NUMEXPR", 22),
    ('build_with_units(10,"s")', 10),
    ("nint(9.8)", 10),
    ("max(3,4)", 4),
    ("mod(13,10)", 3),
    ("A and B", "A and B"),
    ("A && B", "A and B"),
    ("A or B", "A or B"),
    ("A || B", "A or B"),
    ("not A", "not A"),
    ("! A", "not A"),
    ("A nor B", "not (A or B)"),
    ("A nand B", "not (A and B)"),
    ("A and_not B", "A and not B"),
    ("A or_not B", "A or not B"),
    ("A and (B or (C and not A))", "A and (B or (C and not A))"),
    ("A", "A"),
    ("\\TAGA", "A"),
    (".PAR:KID", "KID"),
    ("build_dependency(10,A,B)", "A and B"),
    ("build_dependency(11,A,B)", "A or B"),
    (
        "build_dependency(12,A,B)",
        "is a dependency OF, which has no meaning as a condition over actions",
    ),
    ("build_condition(7,A)", "not A"),
    ("build_condition(8,A)", "A"),
    ("build_condition(8,GONE)", "has nothing left once undefined actions are ignored"),
    ("build_condition(9,A)", "A or not A"),
    (
        "build_dependency(10,build_condition(7,A),build_dependency(11,B,C))",
        "not A and (B or C)",
    ),
    ("build_dependency(10,build_condition(8,GONE),A)", "A"),
    ("GONE", "GONE?"),
    ("A and GONE", "A and GONE?"),
    ("\\NOTAG", "NOTAG?"),
    ("A and LATER", "A and LATER"),  # made after the record that names it
    ("\\SUB::TOP:S1", "S1"),
    ("EMPTY", "EMPTY"),
    ('"SOME_EVENT"', "is a text, not a condition"),
    ("TEXT", "refers to \\FORMS::TOP:TEXT, which is no action"),
    ("A + 1", "uses a function that has no meaning in a condition"),
    ("1 and A", "has a number where an action is expected"),
    ("A EQ 1", "uses a function that has no meaning in a condition"),
    ("IAND(A, B)", "uses a function that has no meaning in a condition"),
    ('GETNCI(A, "ON")', "uses a function that has no meaning in a condition"),
    ("IF_ERROR(A, B)", "uses a function that has no meaning in a condition"),
    ("$SHOT > 5", "uses a function that has no meaning in a condition"),
    ("[1,2]", "is not a condition over actions"),
)

PARTS: Final = {
    "NUM_PHASE": 'build_dispatch(2,"A",40,10,*),1',
    "SUM_PHASE": 'build_dispatch(2,"A",20+20,10,*),1',
    "BAD_PHASE": 'build_dispatch(2,"A",77,10,*),1',
    "LOW_PHASE": 'build_dispatch(2,"A","store",10,*),1',
    "NO_PHASE": 'build_dispatch(2,"A",*,10,*),1',
    "NO_CLASS": 'build_dispatch(2,*,"STORE",10,*),1',
    "LABELLED": 'build_dispatch(2,"DAQ@hall-2","STORE",10,*),1',
    "BAD_LABEL": 'build_dispatch(2,"DAQ@hall 2","STORE",10,*),1',
    "NODES": "build_dispatch(2,TEXT,TEXT,NUM,TEXT),1",
    "NO_TASK": 'build_dispatch(2,"A","STORE",10,*),*',
    "NO_DISPATCH": "*,1",
    "TYPE_NONE": 'build_dispatch(0,"A","STORE",10,*),1',
    "TYPE_ASYNC": 'build_dispatch(1,"A","STORE","EVENT",*),1',
    "TYPE_COND": 'build_dispatch(3,"A","STORE",A,*),1',
    "PROCEDURE": 'build_dispatch(2,"A","STORE",10,*),build_procedure(5,"en","fr","pr",1)',
    "METHOD": 'build_dispatch(2,"A","STORE",10,"DONE"),build_method(1.5,"go",NUM,1,2)',
    "ROUTINE": 'build_dispatch(2,"A","STORE",10,*),build_routine(NUM,"lib","go")',
    "PROGRAM": 'build_dispatch(2,"A","STORE",10,*),build_program(build_with_units(3,"s"),"ls")',
    "NO_LIMIT": 'build_dispatch(2,"A","STORE",10,*),build_program(0,"ls")',
    "BAD_LIMIT": 'build_dispatch(2,"A","STORE",10,*),build_program("x","ls")',
}

OUTPUT: Final = {
    "WRITES": "write(*, 'written by TDI'), 1",
    "PRINTS": 'build_method(*, "speaks", DEV)',
    "RUNS": "build_program(*, \"echo 'from a program'; echo 'its errors' >&2\")",
    "SPAWNS": "spawn('echo from a child of TDI'), 1",
    "RAISES": 'build_method(*, "fail", DEV)',
    "DEV_FACIL": "662480290",
    "NO_FACIL": "123456",
    "REFUSES": 'build_method(*, "refuse", DEV)',
    "MANY": "execute('for (_i = 0; _i < 20000; _i++) write(*, _i); 1;')",
}

DEVICE: Final = """\
import ctypes
import os
import subprocess
import sys
import threading
import time

import MDSplus


class Sltdev(MDSplus.Device):
    parts = [
        {"path": ":COMMENT", "type": "TEXT"},
        {"path": ":RESULT", "type": "NUMERIC"},
        {
            "path": ":INIT_ACTION",
            "type": "ACTION",
            "valueExpr": "Action(Dispatch('SRV_B','INIT',20,None),Method(5.,'init',head))",
        },
    ]

    def init(self):
        threading.current_thread()
        print("initialised")

    def fail(self):
        raise RuntimeError("the device is on fire")

    def refuse(self):
        raise MDSplus.mdsExceptions.DevINV_SETUP

    def slow(self, seconds):
        time.sleep(float(seconds))

    def speaks(self):
        print("printed by the device")
        sys.stderr.write("complained by the device\\n")
        ctypes.CDLL(None).printf(b"printed in C\\n")
        subprocess.run(["echo", "from a child of the device"])
        os.system("echo from a shell of the device")
        print("without an end", end="")
"""


def environment(folder: Path) -> dict[str, str]:
    """Return what a process needs in its environment to find the site's trees."""
    devices = ";".join(filter(None, (str(folder), os.environ.get("MDS_PYDEVICE_PATH"))))
    tdi = f"{os.environ.get('MDS_PATH', '')};{folder}".removeprefix(";")
    return {
        "MDS_PYDEVICE_PATH": devices,
        "MDS_PATH": tdi,
        **{f"{tree}_path": str(folder) for tree in TREES},
    }


def make_site(folder: Path) -> dict[str, str]:
    """Make all trees in the folder, TEST/1 too. Return the environment that finds them."""
    found = environment(folder)
    made = subprocess.run(
        [sys.executable, "-m", "tests.support.mdsplus_site", str(folder)],
        cwd=ROOT,
        env={**os.environ, **found},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert made.returncode == 0, made.stderr
    return found


@contextmanager
def mdsip_server(
    folder: Path, site: dict[str, str], port: int = 0, mode: str = "-s"
) -> Iterator["MdsipServer"]:
    """Run a real mdsip server of the site on this machine; it is ended at the end."""
    server = MdsipServer(folder, site, port or free_ports(1)[0], mode)
    try:
        server.wait_until_it_listens()
        yield server
    finally:
        server.kill()


class MdsipServer:
    """A real mdsip server."""

    def __init__(self, folder: Path, site: dict[str, str], port: int, mode: str = "-s") -> None:
        assert MDSIP is not None
        self.port = port
        self.url = f"127.0.0.1:{port}"
        self.log = folder / f"mdsip-{port}.log"
        hosts = folder / "mdsip.hosts"
        hosts.write_text("* | MAP_TO_LOCAL\n")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                # Else MDSplus' own time limits end it, as docs/mdsplus.md says.
                [*IGNORING_INT, MDSIP, mode, "-p", str(port), "-h", str(hosts)],
                env={**os.environ, **site, "PYTHON": sys.executable},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def is_running(self) -> bool:
        """Whether its process lives."""
        return self._process.poll() is None

    def wait_until_it_listens(self) -> None:
        def listens() -> bool:
            assert self._process.poll() is None, self.log.read_text()
            with socket.socket() as one:
                return one.connect_ex(("127.0.0.1", self.port)) == 0

        eventually(listens, lambda: "no mdsip server listens")

    def kill(self) -> None:
        """End it at once, as when the machine's power fails, with all that it runs."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(20)


def recorded_actions() -> list[dict[str, Any]]:
    """Return the recorded actions of TEST, as this site's tree has them."""
    actions: list[dict[str, Any]] = json.loads(RECORDED.read_text(encoding="utf-8"))["actions"]
    for action in actions:
        for recorded, here in ROUTINES.items():
            action["text"] = action["text"].replace(recorded, here)
            action["task_text"] = action["task_text"].replace(recorded, here)
    return actions


def main(folder: Path) -> None:
    """Make the device, the TDI function and the trees."""
    (folder / "SLTDEV.py").write_text(DEVICE)
    (folder / "test_raise.fun").write_text("public fun test_raise() { abort(); }\n")
    import MDSplus

    _make_test(MDSplus)
    _make_sub(MDSplus)
    _make_forms(MDSplus)
    _make_output(MDSplus)


def _make_test(mdsplus: Any) -> None:
    with mdsplus.Tree("TEST", -1, "NEW") as tree:
        tree.addNode("DATA", "STRUCTURE")
        tree.addNode("DATA:X", "NUMERIC")
        tree.addNode("DATA:COUNT", "NUMERIC")
        tree.addDevice("DEV", "SLTDEV")
        actions = sorted(recorded_actions(), key=lambda action: int(action["nid"]))
        for action in actions:
            if action["minpath"] != "DEV:INIT_ACTION":
                tree.addNode(action["minpath"], "ACTION")
        for action in actions:
            node = tree.getNode(action["minpath"])
            assert node.nid == action["nid"], (node.nid, action)
            node.record = tree.tdiCompile(action["text"])
            node.on = action["node_on"]
            node.essential = action["essential"]
        tree.write()
    mdsplus.Tree("TEST", -1).createPulse(1)


def _make_sub(mdsplus: Any) -> None:
    with mdsplus.Tree("SUB", -1, "NEW") as tree:
        _add(tree, "S1", 'build_dispatch(2,"A","STORE",10,*),1')
        tree.write()


def _make_forms(mdsplus: Any) -> None:
    with mdsplus.Tree("FORMS", -1, "NEW") as tree:
        for name in "ABC":
            _add(tree, name, 'build_dispatch(2,"A","STORE",10,*),1')
        tree.getNode("A").addTag("TAGA")
        tree.getNode("A").essential = True
        tree.addNode("NUM", "NUMERIC").record = 20
        tree.addNode("NUMEXPR", "NUMERIC").record = tree.tdiCompile("NUM+2")
        tree.addNode("TEXT", "TEXT").record = "STORE"
        tree.addNode("EMPTY", "ACTION")
        tree.addNode("SUB", "SUBTREE")
        tree.addNode("PAR", "STRUCTURE").on = False
        _add(tree, "PAR:KID", 'build_dispatch(2,"A","STORE",10,*),1')
        for number, (when, _) in enumerate(FORMS):
            if "build_condition" in when:
                tree.addNode(f"W{number:03d}", "ACTION")
            else:
                _add(tree, f"W{number:03d}", f'build_dispatch(2,"A","STORE",{when},*),1')
        for name, text in PARTS.items():
            _add(tree, name, text)
        _add(tree, "LATER", 'build_dispatch(2,"A","STORE",10,*),1')
        tree.write()
    # MDSplus' Python cannot make conditions; its command language can.
    with mdsplus.Tree("FORMS", -1) as tree:
        for number, (when, _) in enumerate(FORMS):
            if "build_condition" in when:
                text = f"build_action(build_dispatch(2,'A','STORE',{when},*),1)"
                _, error = tree.tcl(f'put W{number:03d} "{text}"', True, True)
                assert error is None, str(error)


def _make_output(mdsplus: Any) -> None:
    with mdsplus.Tree("OUTPUT", -1, "NEW") as tree:
        tree.addDevice("DEV", "SLTDEV")
        for name, task in OUTPUT.items():
            _add(tree, name, f'build_dispatch(2,"A","STORE",10,*),({task})')
        tree.write()
    mdsplus.Tree("OUTPUT", -1).createPulse(1)


def _add(tree: Any, name: str, text: str) -> None:
    tree.addNode(name, "ACTION").record = tree.tdiCompile(f"build_action({text})")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
