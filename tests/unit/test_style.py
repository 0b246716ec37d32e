"""The project's own rules that no linter knows; the linters' part is in pyproject.toml.

Boolean traps, unused code, docstrings of public names and the like are ruff's business, import
rules are import-linter's.
"""

import ast
import configparser
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "shotline"
CODE_FOLDERS = tuple(
    sorted({path.parent.name for path in ROOT.glob("*/__init__.py")} - {"bench", "tests", "tools"})
)
WRITTEN_FOLDERS = (*CODE_FOLDERS, "bench", "docs", "etc", "tests", "tools")
TEXT_SUFFIXES = {".cfg", ".css", ".html", ".js", ".md", ".py", ".service", ".sh", ".toml", ".yaml"}
MACHINE_PATH = re.compile(r"(?<![\w.}])/(?:work|root|home/\w+|opt/(?:pypi|wheels))(?:/|\b)")
BANNER = re.compile(r"(#|//|/\*)\s*[-=*#~_]{8,}")
TICKET = re.compile(r"\bissues?[ /]#?\d", re.IGNORECASE)
# The numbers of the design's rules: for those who build this, not for those who use it.
RULE = re.compile(r"\b(?:I[1-9]|D(?:1[0-7]|[1-9])|Q(?:10|[1-9])|F[1-4]|V[1-4]|P[1-4])\b|\bDESIGN\b")
FOR_USERS = (
    "README.md",
    "CHANGELOG.md",
    "etc/config.yaml",
    "etc/config.schema.json",
    "docs/openapi.json",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")),
)
# What a pure module never calls; what it never imports is in .importlinter.
IMPURE_CALLS = {"breakpoint", "eval", "exec", "input", "open", "print", "datetime.now"}
IMPURE_METHODS = {"read_bytes", "read_text", "today", "utcnow", "write_bytes", "write_text"}


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def pure_modules() -> list[Path]:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter", encoding="utf-8")
    shells = contracts["importlinter:contract:pure"]["shells"].split()
    return [
        path
        for path in sources(*CODE_FOLDERS)
        if not any(fnmatchcase(module_name(path), shell) for shell in shells)
    ]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("shotline", *parts)).removesuffix(".__init__")


def written_files() -> Iterator[Path]:
    # `.git` is a file, and git's own, in a further working tree.
    yield from (path for path in ROOT.iterdir() if path.is_file() and path.name != ".git")
    yield ROOT / ".ci" / "run"
    for folder in WRITTEN_FOLDERS:
        yield from (path for path in (ROOT / folder).rglob("*") if path.suffix in TEXT_SUFFIXES)


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("path", sources(*CODE_FOLDERS, "bench", "tests", "tools"), ids=named)
def test_a_module_says_what_lives_in_it(path: Path) -> None:
    if path.stat().st_size:
        assert ast.get_docstring(parse(path)), f"{named(path)} begins with no docstring"


@pytest.mark.parametrize("path", sources(*CODE_FOLDERS), ids=named)
def test_code_is_imported_under_the_projects_name(path: Path) -> None:
    """Plain `common` or `broker` would collide with other people's modules."""
    assert not set(imported(parse(path))) & set(CODE_FOLDERS)


def test_every_code_folder_is_a_subpackage() -> None:
    for folder in (*CODE_FOLDERS, "etc"):
        link = PACKAGE / folder
        assert link.is_symlink(), f"make it: ln -s ../../{folder} src/shotline/{folder}"
        assert str(link.readlink()) == f"../../{folder}"
    extra = {path.name for path in PACKAGE.iterdir() if path.is_symlink()}
    assert extra == {*CODE_FOLDERS, "etc"}


@pytest.mark.parametrize("path", pure_modules(), ids=named)
def test_a_pure_module_reads_and_writes_nothing(path: Path) -> None:
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in IMPURE_CALLS, f"{named(path)} line {node.lineno}"
            method = called.rpartition(".")[2]
            assert method not in IMPURE_METHODS, f"{named(path)} line {node.lineno}"


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("test_*.py")), ids=named)
def test_a_test_waits_for_events_and_never_sleeps(path: Path) -> None:
    tree = parse(path)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in ("time", "asyncio"):
            assert "sleep" not in {alias.name for alias in node.names}, f"line {node.lineno}"
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "sleep"
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in ("time", "asyncio")
        ):
            yields = (
                node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0
            )
            assert yields, f"{named(path)} line {node.lineno}: wait for an event with a deadline"


@pytest.mark.parametrize(
    "folders",
    [
        ("monitor", "bridges/recodex", "client", "common", "trees"),
        ("client", "common", "trees"),
        ("bridges", "client", "common"),
        ("dispatcher", "common", "trees"),
        ("broker", "common"),
        ("action_server", "common", "trees"),
    ],
    ids=lambda folders: folders[0],
)
def test_no_two_classes_of_one_name_meet_in_one_daemon(folders: tuple[str, ...]) -> None:
    """What a class is must be told by its name alone. The command line is a daemon of its own."""
    found: dict[str, set[str]] = {}
    for path in sources(*folders):
        if "client/cli" in named(path) and folders[0] != "client":
            continue
        for node in parse(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, set()).add(named(path))
    assert {name: files for name, files in found.items() if len(files) > 1} == {}


def test_nothing_written_depends_on_one_machine_or_draws_banners() -> None:
    for path in written_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            assert not MACHINE_PATH.search(line), f"{named(path)}:{number} names a machine's path"
            assert not TICKET.search(line), f"{named(path)}:{number} names a ticket"
            assert not BANNER.search(line), f"{named(path)}:{number} is a banner: say it in words"


@pytest.mark.parametrize("name", FOR_USERS)
def test_what_users_read_has_no_numbers_of_rules(name: str) -> None:
    for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1):
        assert not RULE.search(line), f"{name}:{number}: say what the rule says"


@pytest.mark.parametrize("path", sources("client"), ids=named)
def test_the_library_s_and_the_command_s_words_have_no_numbers_of_rules(path: Path) -> None:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(parse(path)):
        if isinstance(node, documented):
            assert not RULE.search(ast.get_docstring(node) or ""), getattr(node, "name", "")
