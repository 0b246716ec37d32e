"""What MkDocs calls while it builds the site (mkdocs.yml): written pages, and links out of docs/.

A document may refer to a file of the project, as ../etc/config.yaml: the site then has a page that
shows the file, so that it can be read without the project.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from tools.site import cli, configuration, http

ROOT: Final = Path(__file__).resolve().parents[2]
DOCS: Final = ROOT / "docs"
SHOWN: Final = "source"
PLACE_OF_NEW: Final = "How to"
WRITTEN: Final[dict[str, Callable[[], str]]] = {
    "reference/cli.md": cli.page,
    "reference/configuration.md": configuration.page,
    "reference/http.md": http.page,
    "changelog.md": lambda: (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
}
PACKAGES: Final = Path(sys.prefix) / "page" / "node_modules"
DIAGRAMS: Final = "assets/mermaid.js"
SCRIPTS: Final = {
    DIAGRAMS: PACKAGES / "@mermaid-js/tiny/dist/mermaid.tiny.js",
    "assets/iframe-worker.js": PACKAGES / "iframe-worker/shim/index.js",
}
RECORDS: Final = "decisions/README.md"
_LOADED: Final = re.compile(
    r"""<(?:script|img|iframe|source)[^>]*\ssrc=["']?(?:https?:)?//[^>]*"""
    r"""|<link[^>]*\shref=["']?(?:https?:)?//[^>]*"""
)
_LINK: Final = re.compile(r"\[([^\]\[]*)\]\(([^)#\s:]+)(#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put pages of docs/ that mkdocs.yml does not name yet behind those of `PLACE_OF_NEW`."""
    named = set(_named(config.nav or []))
    new = [file for file in sorted(DOCS.glob("*.md")) if file.name not in named]
    for section in config.nav or []:
        if PLACE_OF_NEW in section:
            section[PLACE_OF_NEW] += [{_title(file): file.name} for file in new]
    return config


def _named(nav: Sequence[Any]) -> Iterator[str]:
    for entry in nav:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            yield from _named(value) if isinstance(value, list) else [str(value)]


def _title(file: Path) -> str:
    return file.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are written, and those of the files that documents refer to."""
    for uri, write in WRITTEN.items():
        files.append(File.generated(config, uri, content=write()))
    shown: set[Path] = set()
    while new := {one for file in files.documentation_pages() for one in _targets(file)} - shown:
        for target in sorted(new):
            files.append(File.generated(config, _shown_at(target), content=_show(target)))
        shown |= new
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Let links to files of the project lead to their pages here."""
    folder = _origin(page.file.src_uri).parent
    here = PurePosixPath(page.file.src_uri).parent

    def turned(found: re.Match[str]) -> str:
        target = _target(folder, found[2])
        if target.is_dir():
            return found[1]  # folders are not shown
        return f"[{found[1]}]({os.path.relpath(_shown_at(target), here)}{found[3] or ''})"

    more = _records() if page.file.src_uri == RECORDS else ""
    return _LINK.sub(turned, markdown + more)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:  # noqa: ARG001
    """Load what draws diagrams on the pages that have any, from the site itself.

    Raise PluginError where a page would load something from elsewhere.
    """
    if elsewhere := _LOADED.search(output):
        raise PluginError(f"{page.file.src_uri} loads something from elsewhere: {elsewhere[0]}")
    if 'class="mermaid"' not in output:
        return output
    if not SCRIPTS[DIAGRAMS].exists():
        return output.replace('class="mermaid"', 'class="diagram"')  # shown as it is written
    script = f'<script src="{"../" * page.url.count("/")}{DIAGRAMS}"></script>'
    return output.replace("</head>", script + "</head>", 1)


def on_post_build(config: MkDocsConfig) -> None:
    """Copy the scripts of others, in the versions of tests/js/package-lock.json."""
    for name, source in SCRIPTS.items():
        target = Path(config.site_dir) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes() if source.exists() else b"")


def _records() -> str:
    """Return the list of all decision records."""
    records = sorted((DOCS / RECORDS).parent.glob("[0-9]*.md"))
    return "\n" + "".join(f"* [{_title(file)}]({file.name})\n" for file in records)


def _targets(file: File) -> Iterator[Path]:
    """Yield the files outside of the documents that a page refers to."""
    folder = _origin(file.src_uri).parent
    for _, name, _ in _LINK.findall(file.content_string):
        target = _target(folder, name)
        if target.is_file() and _shown_at(target).startswith(f"{SHOWN}/"):
            yield target


def _origin(uri: str) -> Path:
    """Return the file of the project that a page of the site is made of."""
    if uri == "changelog.md":
        return ROOT / "CHANGELOG.md"
    shown = PurePosixPath(uri)
    if shown.parts[0] == SHOWN:
        return ROOT.joinpath(*shown.parts[1:])
    return DOCS / uri


def _target(folder: Path, link: str) -> Path:
    """Return what a link leads to, of the project. Raise PluginError when it is not there."""
    target = Path(os.path.normpath(folder / link))
    if target.is_relative_to(DOCS) and target.relative_to(DOCS).as_posix() in WRITTEN:
        return target
    if not target.is_relative_to(ROOT) or not target.exists():
        raise PluginError(f"a document in {folder} refers to {link}, which is not there")
    return target


def _shown_at(target: Path) -> str:
    """Return the page, or file, of the site that shows a file of the project."""
    if target == ROOT / "CHANGELOG.md":
        return "changelog.md"
    if target.is_relative_to(DOCS):
        return target.relative_to(DOCS).as_posix()
    name = target.relative_to(ROOT).as_posix()
    return f"{SHOWN}/{name if name.endswith('.md') else name + '.md'}"


def _show(target: Path) -> str:
    text = target.read_text(encoding="utf-8")
    if target.suffix == ".md":
        return text
    name = target.relative_to(ROOT).as_posix()
    kind = {".py": "python", ".yaml": "yaml", ".json": "json", ".sh": "sh", ".conf": "nginx"}
    fence = f"``` {kind.get(target.suffix, 'text')}\n{text}\n```\n"
    return f"# {target.name}\n\n`{name}`, as it stands in the project.\n\n{fence}"
