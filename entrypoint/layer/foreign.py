"""Programs and libraries for macOS and Windows, recognized by their first bytes."""

_MACH_O = {bytes.fromhex(magic) for magic in ("feedface", "feedfacf", "cefaedfe", "cffaedfe")}
_FAT = bytes.fromhex("cafebabe")
"""Of a Mach-O file for several machines; Java's class files have a version in place of their number."""
_MOST_MACHINES = 30
HEAD = 8
"""How many bytes `system_of` looks at."""


def system_of(head: bytes) -> str | None:
    """Return the system that a file is for, by its first bytes: macOS, Windows, or None for all others.

    https://en.wikipedia.org/wiki/List_of_file_signatures
    """
    if head[:4] in _MACH_O or (head[:4] == _FAT and 0 < int.from_bytes(head[4:8], "big") < _MOST_MACHINES):
        return "macOS"
    return "Windows" if head[:2] == b"MZ" else None
