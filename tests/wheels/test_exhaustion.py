"""Small archives that would unpack to gigabytes, or make huge tables: refused before they take memory."""

import gzip
import struct
import tarfile
import tracemalloc
import zipfile
from contextlib import contextmanager

import pytest
from layers import inspected, laid_out, raw_wheel
from package_index import make_sdist

from entrypoint.errors import ArchiveError, CompileError
from entrypoint.wheels.sdist import build_system, static_metadata, wheel_metadata
from entrypoint.wheels.wheel import read_members

pytestmark = pytest.mark.large

INFO = "pkg-1.0.dist-info"
MEGABYTE = 1 << 20


@contextmanager
def little_memory(most=100 * MEGABYTE):
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def bomb(path, name, size):
    """A wheel with a file of many short lines, which parsers make many objects of."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w") as member:
        for _ in range(size // MEGABYTE):
            member.write(b"A: b\n" * (MEGABYTE // 5))
    return path


@pytest.mark.parametrize("name", ["METADATA", "RECORD"])
def test_metadata_that_unpacks_to_much_is_refused_before_it_is_read(tmp_path, name):
    wheel = bomb(tmp_path / "pkg-1.0-py3-none-any.whl", f"{INFO}/{name}", 80 * MEGABYTE)
    assert wheel.stat().st_size < 200_000
    with little_memory(), pytest.raises(ArchiveError, match=rf"{name} unpacks to .* bytes; at most"):
        inspected(wheel, tmp_path / "cache")


def test_the_metadata_of_a_wheel_from_an_index_is_read_within_the_limit(tmp_path):
    wheel = bomb(tmp_path / "pkg-1.0-py3-none-any.whl", f"{INFO}/METADATA", 150 * MEGABYTE)
    with little_memory(), pytest.raises(CompileError, match="unpacks to more than"):
        wheel_metadata(wheel)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_metadata_in_methods_that_unpack_all_at_once_is_refused(tmp_path, method):
    wheel = tmp_path / "pkg-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", method) as archive:
        archive.writestr(f"{INFO}/METADATA", bytes(150 * MEGABYTE))
    with little_memory(), pytest.raises(CompileError, match="compression method"):
        wheel_metadata(wheel)


def test_much_in_methods_that_have_to_be_compressed_again_is_refused(tmp_path):
    wheel = tmp_path / "pkg-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_BZIP2) as archive:
        for number in range(3):
            archive.writestr(f"pkg/{number}.bin", bytes(90 * MEGABYTE))
        archive.writestr(f"{INFO}/RECORD", b"")
    with pytest.raises(ArchiveError, match="files that have to be compressed again have 283,115,520 bytes"):
        laid_out(wheel, tmp_path / "cache")


def test_more_files_than_any_package_has_are_refused(tmp_path):
    wheel = tmp_path / "pkg-1.0-py3-none-any.whl"
    entries = b"".join(
        struct.pack("<4s12xLLLH16x", b"PK\1\2", 0, 0, 0, 1)[:46] + b"a" for _ in range(100_001)
    )
    end = struct.pack("<4s4xHHLLH", b"PK\5\6", 1, 1, len(entries), 0, 0)
    wheel.write_bytes(entries + end)
    with pytest.raises(ArchiveError, match="has 100,001 files; at most 100,000 are allowed"):
        read_members(wheel)


def test_a_huge_directory_is_refused_before_it_is_read(tmp_path):
    wheel = tmp_path / "pkg-1.0-py3-none-any.whl"
    size = 400 * MEGABYTE
    with wheel.open("wb") as file:
        file.seek(size)  # a sparse file
        file.write(struct.pack("<4s4xHHLLH", b"PK\5\6", 1, 1, size, 0, 0))
    with little_memory(), pytest.raises(ArchiveError, match="table of 419,430,400 bytes is too large"):
        read_members(wheel)
    with little_memory(), pytest.raises(CompileError, match="is too large"):
        wheel_metadata(wheel)


def test_the_sum_of_all_sizes_is_limited(tmp_path):
    wheel = raw_wheel(
        tmp_path / "pkg-1.0-py3-none-any.whl", {f"pkg/{number}.bin": b"" for number in range(5)}
    )
    data = bytearray(wheel.read_bytes())
    at = data.index(b"PK\1\2")
    while at >= 0:
        struct.pack_into("<L", data, at + 24, 250_000_000)
        at = data.find(b"PK\1\2", at + 1)
    wheel.write_bytes(data)
    with pytest.raises(ArchiveError, match="unpacks to 1,250,000,000 bytes; at most"):
        read_members(wheel)


@pytest.fixture
def sdist(tmp_path):
    """Write an sdist with the given members; contents are made while they are written."""

    def write(*members, kind=tarfile.REGTYPE):
        path = tmp_path / "thing-1.0.tar.gz"
        with gzip.open(path, "wb", 1) as zipped:
            for name, size in members:
                info = tarfile.TarInfo(f"thing-1.0/{name}")
                info.type, info.size = kind, size
                zipped.write(info.tobuf(tarfile.GNU_FORMAT))
                for _ in range(size // MEGABYTE):
                    zipped.write(bytes(MEGABYTE))
            zipped.write(bytes(1024))
        return path

    return write


def test_a_large_header_of_an_sdist_is_refused(sdist):
    path = sdist(("pax", 150 * MEGABYTE), kind=tarfile.XHDTYPE)
    with little_memory(), pytest.raises(CompileError, match=r"is not a valid archive: .* is too large"):
        static_metadata(path)


def test_an_sdist_that_unpacks_to_gigabytes_is_refused(sdist):
    path = sdist(("large", 1100 * MEGABYTE), ("PKG-INFO", 0))
    with pytest.raises(CompileError, match="unpacks to more than 1,073,741,824 bytes"):
        static_metadata(path)


def test_an_sdist_with_more_files_than_any_package_has_is_refused(sdist):
    path = sdist(*(("a", 0) for _ in range(100_100)))
    with pytest.raises(CompileError, match="more than 100,000 files"):
        static_metadata(path)


def test_large_metadata_of_an_sdist_is_not_used(tmp_path, sdist):
    path = sdist(("PKG-INFO", 150 * MEGABYTE))
    with little_memory():
        assert static_metadata(path) is None
    zipped = tmp_path / "thing-1.0.zip"
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("thing-1.0/PKG-INFO", bytes(150 * MEGABYTE))
    data = bytearray(zipped.read_bytes())
    struct.pack_into("<L", data, data.index(b"PK\1\2") + 24, 1000)  # it states less
    zipped.write_bytes(data)
    with little_memory(), pytest.raises(CompileError, match="Bad CRC"):
        static_metadata(zipped)


@pytest.mark.parametrize("text", ["build-system = " + "[" * 100_000, "a." * 100_000 + "a = 1"])
def test_a_pyproject_that_is_nested_deeply_is_refused(tmp_path, text):
    path = make_sdist(tmp_path, "thing", "1.0", files={"pyproject.toml": text})
    with pytest.raises(CompileError, match=r"pyproject\.toml of thing-1\.0\.tar\.gz is nested too deeply"):
        build_system(path)
