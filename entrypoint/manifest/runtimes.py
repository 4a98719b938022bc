"""The Lambda runtimes and architectures: the only table of these facts.

Identifiers and dates: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html (read 2026-11).
glibc: Amazon Linux 2 ships 2.26, Amazon Linux 2023 ships 2.34.
"""

from datetime import date
from enum import StrEnum
from typing import NamedTuple

ROOT = "python/"
"""The folder of a layer's packages: Python runtimes have /opt/python on their path."""


class Architecture(StrEnum):
    """An instruction set, by its name in Lambda."""

    X86_64 = "x86_64"
    ARM64 = "arm64"

    @property
    def machine(self) -> str:
        """Its name in wheel tags and in `platform.machine()`."""
        return "aarch64" if self is Architecture.ARM64 else "x86_64"


class OperatingSystem(NamedTuple):
    """The operating system of a runtime, as compiled code sees it.

    `symbols` are the newest symbol versions of its C and C++ libraries. glibc: the package versions.
    libstdc++: GCC 7.3 in Amazon Linux 2 and GCC 11.4 in Amazon Linux 2023, by GCC's ABI table,
    https://gcc.gnu.org/onlinedocs/libstdc++/manual/abi.html.
    """

    identifier: str
    symbols: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def glibc(self) -> tuple[int, int]:
        """The version of the C library, as in wheel tags."""
        major, minor = dict(self.symbols)["GLIBC"]
        return major, minor


AL2 = OperatingSystem(
    identifier="al2",
    symbols=(("GLIBC", (2, 26)), ("GLIBCXX", (3, 4, 24)), ("CXXABI", (1, 3, 11))),
)
AL2023 = OperatingSystem(
    identifier="al2023",
    symbols=(("GLIBC", (2, 34)), ("GLIBCXX", (3, 4, 29)), ("CXXABI", (1, 3, 13))),
)


class Runtime(NamedTuple):
    """A Lambda runtime: its identifier, its software, and its deprecation dates."""

    identifier: str
    #: CPython's full version as captured in the runtime's image; None without Python.
    #: AWS updates the patch level; only markers on `python_full_version` depend on it.
    python: str | None
    system: OperatingSystem
    deprecated: date | None = None
    updates_blocked: date | None = None
    preview: bool = False

    def __str__(self) -> str:
        return self.identifier

    @property
    def glibc(self) -> tuple[int, int]:
        """The version of its C library, as in wheel tags."""
        return self.system.glibc

    @property
    def python_version(self) -> tuple[int, int] | None:
        """The minor version, as (3, 13)."""
        if self.python is None:
            return None
        major, minor, *_ = self.python.split(".")
        return int(major), int(minor)


RUNTIMES = {
    runtime.identifier: runtime
    for runtime in (
        Runtime(
            identifier="python3.9",
            python="3.9.19",
            system=AL2,
            deprecated=date(2025, 12, 15),
            updates_blocked=date(2027, 3, 3),
        ),
        Runtime(
            identifier="python3.10",
            python="3.10.14",
            system=AL2,
            deprecated=date(2026, 10, 31),
            updates_blocked=date(2027, 3, 3),
        ),
        Runtime(
            identifier="python3.11",
            python="3.11.9",
            system=AL2,
            deprecated=date(2027, 6, 30),
            updates_blocked=date(2027, 8, 31),
        ),
        Runtime(
            identifier="python3.12",
            python="3.12.3",
            system=AL2023,
            deprecated=date(2028, 10, 31),
            updates_blocked=date(2029, 1, 10),
        ),
        Runtime(
            identifier="python3.13",
            python="3.13.0",
            system=AL2023,
            deprecated=date(2029, 6, 30),
            updates_blocked=date(2029, 8, 31),
        ),
        Runtime(
            identifier="python3.14",
            python="3.14.0",
            system=AL2023,
            deprecated=date(2029, 6, 30),
            updates_blocked=date(2029, 8, 31),
        ),
        Runtime(identifier="python3.15", python="3.15.0", system=AL2023, preview=True),
        Runtime(
            identifier="provided.al2",
            python=None,
            system=AL2,
            deprecated=date(2026, 7, 31),
            updates_blocked=date(2027, 3, 3),
        ),
        Runtime(
            identifier="provided.al2023",
            python=None,
            system=AL2023,
            deprecated=date(2029, 6, 30),
            updates_blocked=date(2029, 8, 31),
        ),
    )
}


OLDER_RUNTIMES = dict.fromkeys(("python3.7", "python3.8", "provided"), date(2027, 3, 3))
"""Runtimes for which no layers are built, with the day on which AWS blocks updates of functions on them."""


class Platform(NamedTuple):
    """A runtime and an architecture: they determine markers and wheel tags."""

    runtime: Runtime
    architecture: Architecture

    def __str__(self) -> str:
        return f"{self.runtime}-{self.architecture}"
