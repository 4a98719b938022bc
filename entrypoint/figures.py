"""Numbers as people read them."""

KILO, MEGA = 1e3, 1e6


def count(number: int, thing: str) -> str:
    """Return a number of things: 1 layer, 2 layers."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def megabytes(size: int) -> str:
    """Return a size in bytes as MB."""
    return f"{size / MEGA:.1f} MB"


def growth(size: int | None) -> str:
    """Return by how many bytes something grows, in MB or kB; empty where it is unknown."""
    if size is None:
        return ""
    return f"{size / MEGA:+.1f} MB" if abs(size) >= MEGA / 10 else f"{size / KILO:+.1f} kB"
