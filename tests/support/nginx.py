"""A real nginx with a site's file, before a monitor."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.support.ports import free_ports
from tests.support.stack import DEADLINE_S, eventually

OURS = Path(__file__).resolve().parents[2] / "etc" / "nginx.conf"


@contextlib.contextmanager
def nginx(site: str, monitor: int, folder: Path) -> Iterator[str]:
    """Run nginx with a site's file before the monitor at a port. Return where it is."""
    (port,) = free_ports(1)
    site = site.replace("listen 80;", f"listen 127.0.0.1:{port};")
    site = site.replace("127.0.0.1:5580", f"127.0.0.1:{monitor}")
    (folder / "site.conf").write_text(site)
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off; {temporary} include {folder}/site.conf; }}\n"
    )
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    assert program is not None, "nginx is needed: apt install nginx-light"
    process = subprocess.Popen([program, "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        eventually((folder / "pid").exists, (folder / "error.log").read_text)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(DEADLINE_S)
