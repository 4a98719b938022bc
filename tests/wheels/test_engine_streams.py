"""What comes out of a container, as a stream of untrusted bytes."""

import tarfile
import tracemalloc

import pytest

from entrypoint.errors import CompileError
from entrypoint.wheels.engine_streams import unpack

MEGABYTE = 1 << 20


def stream(size, taken):
    """The archive of a folder with one file of zeros, in chunks; `taken` counts their bytes."""
    folder, file = tarfile.TarInfo("out"), tarfile.TarInfo("out/large")
    folder.type, file.size = tarfile.DIRTYPE, size
    yield folder.tobuf() + file.tobuf()
    for _ in range(size // MEGABYTE):
        taken.append(MEGABYTE)
        yield bytes(MEGABYTE)
    yield bytes(1024)


def test_a_large_file_is_never_in_memory(tmp_path):
    tracemalloc.start()
    try:
        found = unpack(stream(200 * MEGABYTE, []), tmp_path, limit=1 << 30)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found["large"].stat().st_size == 200 * MEGABYTE
    assert most < 20 * MEGABYTE


def test_a_file_beyond_the_limit_is_refused_before_it_is_read(tmp_path):
    taken = []
    with pytest.raises(CompileError, match="the result exceeds 105 MB"):
        unpack(stream(200 * MEGABYTE, taken), tmp_path, limit=100 * MEGABYTE)
    assert sum(taken) <= 4 * MEGABYTE
    assert list(tmp_path.iterdir()) == []
