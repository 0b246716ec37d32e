"""README.md and docs/: each block has a class, what they name exists, and links lead somewhere."""

import ast
import importlib
import json
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from tests.support import documents
from tests.support.command_lines import fault_of, fault_of_mention
from tests.support.documents import DOCS, PLACES, ROOT, Block
from tools.site.hooks import WRITTEN

from shotline.client.cli import fleet_file
from shotline.client.cli.main import shotline as commands
from shotline.client.errors import WrongArguments
from shotline.common.errors import ConfigError
from shotline.common.settings.config import check_config
from shotline.trees.experiment_file import read_experiment
from shotline.trees.tree import TreeError

PAGES = documents.pages()
BLOCKS = [block for page in PAGES for block in documents.blocks(page)]
FOLDERS = ("etc", "docs", "tests", "tools", "bench", "common", "client")
LINKED = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "bench" / "README.md"]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def of(kind: str) -> list[Block]:
    return [block for block in BLOCKS if block.kind == kind]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_each_block_has_a_class(page: Path) -> None:
    without = [str(one) for one in documents.blocks(page) if one.kind is None]
    without += [f"{name(page)}:{line}" for line in documents.indented(page)]
    assert not without, f"no class (tests/support/documents.py names them): {without}"
    place = documents.place_of(page)
    runs = [str(one) for one in documents.blocks(page) if one.kind == "run"]
    assert not runs or place is not None, f"where do these run? {runs}"
    assert place is None or (runs and place.name in PLACES)


def test_what_is_left_out_says_why_and_is_the_smaller_part() -> None:
    counted = Counter(block.kind for block in BLOCKS)
    print(", ".join(f"{number} {kind}" for kind, number in counted.most_common()))
    reasons = Counter(block.mark("not run") for block in of("parsed"))
    print("\n".join(f"{number} {reason}" for reason, number in reasons.most_common()))
    assert counted["run"] > counted["parsed"]


@pytest.mark.parametrize("block", [*of("run"), *of("parsed")], ids=str)
def test_every_command_line_is_understood(block: Block) -> None:
    script = "\n".join(command for command, _ in block.steps)
    wrong = [
        f"{' '.join(words)}: {fault}"
        for words in documents.simple_commands(script)
        if (fault := fault_of(words)) is not None
    ]
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_that_a_sentence_names_is_there(page: Path) -> None:
    wrong = [
        f"`{text}`: {fault}"
        for text in documents.mentioned(page)
        if re.match(r"shotline( |-[a-z-]+( |$))", text)
        if (fault := fault_of_mention(text)) is not None
    ]
    assert not wrong


def test_every_example_of_the_help_is_understood() -> None:
    groups = [commands]
    while groups:
        group = groups.pop()
        for command in group.commands.values():
            if hasattr(command, "commands"):
                groups.append(command)
            for words in documents.simple_commands(getattr(command, "example", "")):
                assert fault_of(words) is None, words


@pytest.mark.parametrize("block", of("checked"), ids=str)
def test_what_is_in_a_file_is_what_that_file_may_hold(block: Block, tmp_path: Path) -> None:
    if block.language == "json":
        json.loads(block.text)
    elif block.language == "python":
        _check_python(block.text)
    else:
        _check_yaml(block, tmp_path)


def _check_python(text: str) -> None:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("shotline"):
            module = importlib.import_module(node.module or "")
            for alias in node.names:
                assert hasattr(module, alias.name), f"{node.module} has no {alias.name}"


def _check_yaml(block: Block, folder: Path) -> None:
    file = folder / (block.title or "block.yaml")
    file.parent.mkdir(exist_ok=True)
    # Folders that a reader has.
    file.write_text(block.text.replace("/var/lib/shotline", str(folder)), encoding="utf-8")
    if block.text.startswith("experiment:"):
        read_experiment(block.text.encode(), file)
    elif block.text.startswith("servers:"):
        fleet_file.read(file)
    else:
        shutil.copytree(ROOT / "etc" / "experiments", folder / "experiments")
        place = documents.place_of(block.file)
        beside = documents.blocks(place.files) if place and place.files else []
        for other in [*beside, *documents.blocks(block.file)]:
            if other.title and not (folder / other.title).exists():
                (folder / other.title).write_text(other.text, encoding="utf-8")
        for secret in re.findall(r"_file: (\S+)", block.text):
            (folder / secret).touch(mode=0o600)
        assert check_config(file, environment={}) == []


def test_the_checks_can_fail(tmp_path: Path) -> None:
    assert fault_of(["shotline", "do-phase"]) is not None
    assert fault_of(["shotline", "do-phase", "INIT", "--wiat"]) is not None
    assert fault_of(["shotline", "fleet", "drian", "GAS"]) is not None
    assert fault_of(["shotline-hub", "--config"]) is not None
    assert fault_of(["shotline-hubb"]) is not None
    assert fault_of(["shotline", "tree", "TEST", "-1", "--check"]) is None
    assert fault_of_mention("shotline fleet drian") is not None
    assert fault_of_mention("shotline build-tables [--rest]") is not None
    assert fault_of_mention("shotline build-tables [TREE SHOT] [--reset]") is None
    texts = ("broker: {heartbeats_s: 1}", "experiment: A\nactions: []", "servers: {A: 1}")
    for number, text in enumerate(texts):
        block = Block(ROOT / "README.md", 1, "yaml", text, (), None)
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises((AssertionError, ConfigError, TreeError, WrongArguments)):
            _check_yaml(block, folder)
    with pytest.raises(AssertionError):
        _check_python("from shotline.client.supervisor import Supervisors")


# Links


@pytest.mark.parametrize("page", LINKED, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    wrong = []
    for link in documents.links(page):
        target, _, anchor = link.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        file = (page.parent / target).resolve() if target else page
        written = file.is_relative_to(DOCS) and str(file.relative_to(DOCS)) in WRITTEN
        if written:
            continue
        if not file.exists() or not file.is_relative_to(ROOT):
            wrong.append(f"{link}: there is no {target}")
        elif anchor and file.suffix == ".md" and anchor not in documents.anchors(file):
            wrong.append(f"{link}: {target} has no heading for {anchor}")
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_file_that_is_named_exists(page: Path) -> None:
    if page.parent.name == "decisions":
        return  # they speak of how things were
    wrong = []
    for text in documents.mentioned(page):
        path = text.partition(" ")[0].rstrip("/")
        top = path.partition("/")[0]
        is_ours = "/" in path and top in FOLDERS and not any(sign in path for sign in "*<{…")
        if is_ours and not (ROOT / path).exists():
            wrong.append(path)
    assert not wrong


def test_every_document_stands_in_the_site() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    pages = [str(page.relative_to(DOCS)) for page in PAGES if page.is_relative_to(DOCS)]
    for page in [*pages, *WRITTEN]:
        at_the_top = "/" not in page  # the site has a place for these, whether named or not
        if not page.startswith("decisions/0") and not at_the_top:
            assert page in nav, f"mkdocs.yml has no place for {page}"
