"""The checksum of a file: as the watcher announces it, and a consumer finds it again."""

import hashlib
import zlib
from pathlib import Path
from typing import Final

_CHUNK_B: Final = 1024 * 1024


def checksum_of(file: Path, kind: str) -> str:
    """Return a file's checksum, as `adler32:0a1b2c3d`. Raise OSError."""
    with file.open("rb") as opened:
        if kind == "sha256":
            return f"sha256:{hashlib.file_digest(opened, 'sha256').hexdigest()}"
        value = 1
        while chunk := opened.read(_CHUNK_B):
            value = zlib.adler32(chunk, value)
    return f"adler32:{value:08x}"
