"""What is closed at the end of a `with` block."""

from abc import ABC, abstractmethod
from typing import Self


class Closable(ABC):
    """Is closed at the end of a `with` block."""

    @abstractmethod
    def close(self) -> None:
        """End it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClosable(ABC):
    """Is closed at the end of an `async with` block."""

    @abstractmethod
    def close(self) -> None:
        """End it."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
