"""The commands of README.md and docs/ are run as they stand there, each page on a real system.

What each block is, and where it runs, stands in `tests.support.documents`.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml
from tests.support import documents
from tests.support.documents import ROOT, Block, is_shown
from tests.support.hosts import CONTROL, Host, can_make_hosts, two_hosts
from tests.support.terminal import Terminal

pytestmark = [
    pytest.mark.skipif(not can_make_hosts(), reason="only root may make hosts"),
    pytest.mark.timeout(600),  # a page is many commands, and the machine may be loaded
]

PAGES = {page: place for page in documents.pages() if (place := documents.place_of(page))}
BIN = ROOT / ".venv" / "bin"
NAMES = {"control.example": CONTROL}
SITE = """
experiment: TEST
phases: {INIT: 1, PULSE: 2, STORE: 3}
actions:
  - {path: COOLING, server_class: CONTROL, phase: INIT, when: 10, task: {shell: [echo, on]}}
  - {path: "GAS:PUFF", server_class: GAS, phase: PULSE, when: 10, task: {shell: [echo, puff]}}
  - path: "STORE:A"
    server_class: DAQ
    phase: STORE
    when: 10
    task:
      shell:
        - sh
        - -c
        - |
          echo opening the digitizer; sleep 0.3
          printf 'channel 1: 4096 samples\\nchannel 2: 4096 samples\\n'; sleep 0.3
          echo no trigger on channel 3 >&2
"""
# What a reader sees of commands that reach another host, or know whether this is a terminal.
STAND_INS = """
scp() { cp "$1" "../../${2%.example:}/"; }
redis-cli() { command redis-cli --no-raw "$@"; }
"""


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def after(page: Path) -> Iterator[Path]:
    """Yield the pages that go on where `page` ends, in their order."""
    for other, place in PAGES.items():
        if place.after == page:
            yield other
            yield from after(other)


def starts(place: str) -> list[Path]:
    return [page for page, one in PAGES.items() if one.name == place and one.after is None]


def run_page(page: Path, terminals: dict[str | None, Terminal], folders: list[Path]) -> None:
    """Run the commands of a page, and write its files where they stand."""
    for block in documents.blocks(page):
        text = block.text
        for written, meant in NAMES.items():
            text = text.replace(written, meant)
        if block.title is not None:
            for folder in folders:
                if block.mark("on") in (None, folder.name):
                    (folder / block.title).parent.mkdir(parents=True, exist_ok=True)
                    (folder / block.title).write_text(text, encoding="utf-8")
        elif block.kind == "run":
            run_block(block, terminals[block.mark("on")])


def run_block(block: Block, terminal: Terminal) -> None:
    """Run the commands of a block; fail where one fails, or says something else."""
    first = block.mark("first")
    if first is not None:
        said, code = terminal.run(first)
        assert code == 0, f"{block}: {first}: {said}"
    until = block.mark("stays")
    if until is not None:
        terminal.stay(block.text, until)
        return
    code = 0
    for command, shown in block.steps:
        if command == "echo $?":
            assert shown == str(code), f"{block}: the exit code is {code}, not {shown}"
            code = 0
            continue
        assert code == 0, f"{block}: the command before `{command}` ended with {code}"
        script = f"( set -e; {command}\n)" if block.language == "sh" else command
        said, code = terminal.run(script)
        assert is_shown(said, shown), f"{block}: `{command}` says\n{said}\nand not\n{shown}"
        assert code == 0 or block.language == "console", f"{block}: {code}\n{said}"
    assert code == 0, f"{block}: the last command ended with {code}\n{said}"


@pytest.mark.parametrize("page", starts("checkout"), ids=name)
def test_the_commands_in_a_checkout(page: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "shotline"
    checkout.mkdir()
    for one in ROOT.iterdir():
        if one.name not in ("var", "build", ".git"):
            (checkout / one.name).symlink_to(one)
    with ExitStack() as stack:
        host = Host(own_processes=True)
        stack.callback(host.close)
        terminal = Terminal(host, checkout, BIN, STAND_INS)
        stack.callback(terminal.close)
        for one in (page, *after(page)):
            run_page(one, {None: terminal}, [checkout])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Host, Path]]:
    """Give a host on which a site's system runs, and the folder that it runs in."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "test.yaml").write_text(SITE, encoding="utf-8")
    shutil.copytree(ROOT / "etc", folder / "etc")
    settings = yaml.safe_load((folder / "etc" / "config.yaml").read_text(encoding="utf-8"))
    settings["experiments"]["TEST"] = {"source": {"kind": "file", "file": "../test.yaml"}}
    settings["up"]["servers"] += [
        {"class": "GAS", "id": number, "slots": 2, "labels": ["fast-disk"]} for number in ("1", "2")
    ]
    settings["volumes"]["folders"] = {"RAW": {"folder": str(folder)}}
    settings["volumes"]["consumers"] = {"filter": {}}
    (folder / "etc" / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    with ExitStack() as stack:
        host = Host(own_processes=True)
        stack.callback(host.close)
        terminal = Terminal(host, folder, BIN)
        stack.callback(terminal.close)
        terminal.stay("shotline up", "all are up")
        yield host, folder


@pytest.mark.parametrize("page", starts("site"), ids=name)
def test_the_commands_at_a_site(page: Path, site: tuple[Host, Path]) -> None:
    host, folder = site
    terminal = Terminal(host, folder, BIN, STAND_INS)
    try:
        run_page(page, {None: terminal}, [folder])
    finally:
        terminal.close()


@pytest.mark.parametrize("page", starts("hosts"), ids=name)
def test_the_commands_on_two_hosts(page: Path, tmp_path: Path) -> None:
    place = PAGES[page]
    with two_hosts(own_processes=True) as hosts, ExitStack() as stack:
        terminals: dict[str | None, Terminal] = {}
        folders = [tmp_path / "control", tmp_path / "daq"]
        for host, folder in zip(hosts, folders, strict=True):
            folder.mkdir()
            if place.files is not None:
                for block in documents.blocks(place.files):
                    if block.title is not None:
                        (folder / block.title).parent.mkdir(exist_ok=True)
                        (folder / block.title).write_text(block.text, encoding="utf-8")
            terminal = Terminal(host, folder, BIN, STAND_INS)
            stack.callback(terminal.close)
            terminals[folder.name] = terminal
        run_page(page, terminals, folders)


def test_what_is_shown_is_compared() -> None:
    said = "16:20:01.5 ✓  A  took 2.31 s\nnothing failed\n"
    assert is_shown(said, "12:00:00.1 ✓  A  took 0.10 s\n…\n")
    assert is_shown(said, "…\nnothing failed")
    assert not is_shown(said, "16:20:01.5 ✗  A  took 2.31 s")
    assert not is_shown(said, "… 2 failed")
