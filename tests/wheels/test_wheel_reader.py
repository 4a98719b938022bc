import io
import stat
import struct
import tempfile
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hostile_wheels import METHODS, Unseekable, damaged_wheels, wheels
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layers import PYTHON313, inspected, raw_wheel, target, unzipped
from package_index import make_wheel

from entrypoint.errors import ArchiveError
from entrypoint.layer.assemble import assemble
from entrypoint.layer.layout import lay_out
from entrypoint.layer.verify import verify
from entrypoint.wheels.wheel import read_content, read_members

GOOD = {"pkg/__init__.py": b"answer = 42\n" * 50, "pkg-1.0.dist-info/RECORD": b""}


def whole(path):
    return {member.path: content.read() for member, content in read_content(path, read_members(path))}


def refusal(path):
    with pytest.raises(ArchiveError) as caught:
        whole(path)
    return str(caught.value)


def test_members_and_their_content(tmp_path):
    wheel = make_wheel(tmp_path, "pkg", "1.0", files={"pkg/__init__.py": b"x = 1\n"})
    assert whole(wheel)["pkg/__init__.py"] == b"x = 1\n"


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../escape.py", "pkg/../../x.py", "pkg\\win.py", "a//b.py", "./a.py"]
)
def test_paths_that_leave_the_layer_are_refused(tmp_path, name):
    wheel = raw_wheel(tmp_path / "pkg-1.0-py3-none-any.whl", GOOD | {name: b""})
    assert "points outside the layer or is not portable" in refusal(wheel)


def test_links_are_refused(tmp_path):
    path = tmp_path / "pkg-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("pkg/link.so")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/shadow")
    assert "symbolic link" in refusal(path)


def test_all_faults_of_a_wheel_are_told_at_once(tmp_path):
    wheel = raw_wheel(tmp_path / "pkg-1.0-py3-none-any.whl", {"../a.py": b"", "/b.py": b""})
    assert len(refusal(wheel).splitlines()) == 2


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("second", "accepted"), [(b"same", True), (b"other", False)])
def test_equal_twins_are_one_file_and_unequal_ones_are_refused(tmp_path, second, accepted):
    path = tmp_path / "pkg-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pkg/a.py", b"same")
        archive.writestr("pkg/a.py", second)
    if accepted:
        assert whole(path) == {"pkg/a.py": b"same"}
    else:
        assert "twice, with different content" in refusal(path)


def test_a_file_cannot_be_a_folder_too(tmp_path):
    wheel = raw_wheel(tmp_path / "pkg-1.0-py3-none-any.whl", {"pkg": b"", "pkg/a.py": b""})
    assert "pkg is both a file and a folder" in refusal(wheel)


def test_data_descriptors_are_read_from_the_directory(tmp_path):
    out = Unseekable()
    with zipfile.ZipFile(
        out, "w", zipfile.ZIP_DEFLATED
    ) as archive:  # cannot seek back: sizes follow the data
        archive.writestr("pkg/__init__.py", b"hello " * 99)
    path = tmp_path / "pkg-1.0-py3-none-any.whl"
    path.write_bytes(out.data)
    assert whole(path) == {"pkg/__init__.py": b"hello " * 99}


@pytest.mark.parametrize("method", METHODS)
def test_other_compression_methods(tmp_path, method):
    path = tmp_path / "pkg-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("pkg/__init__.py", b"hello " * 99)
    assert whole(path) == {"pkg/__init__.py": b"hello " * 99}


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_in_other_compression_methods_is_told(tmp_path, method):
    path = tmp_path / "pkg-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("pkg/a.py", b"hello " * 99)
    good = path.read_bytes()
    for location in range(len(good)):
        path.write_bytes(good[:location] + bytes([good[location] ^ 0x5A]) + good[location + 1 :])
        with suppress(ArchiveError):
            assert set(whole(path).values()) <= {b"hello " * 99}


def test_an_unknown_compression_method_is_refused(tmp_path):
    wheel = raw_wheel(tmp_path / "pkg-1.0-py3-none-any.whl", {"pkg/a.py": b"hello"})
    data = bytearray(wheel.read_bytes())
    struct.pack_into("<H", data, data.index(b"PK\1\2") + 10, 97)
    wheel.write_bytes(data)
    assert "pkg/a.py is damaged: compression method 97 is not supported" in refusal(wheel)


def test_zip64_members(tmp_path):
    path = tmp_path / "pkg-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive, archive.open("pkg/big.py", "w", force_zip64=True) as member:
        member.write(b"hello")
    assert whole(path) == {"pkg/big.py": b"hello"}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.large
def test_large_members_are_not_held_in_memory(tmp_path, method):
    path = tmp_path / "pkg-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("pkg/large.bin", bytes(50_000_000))
    tracemalloc.start()
    try:
        for _, content in read_content(path, read_members(path)):
            assert content.seek(0, io.SEEK_END) == 50_000_000
        assert tracemalloc.get_traced_memory()[1] < 20_000_000  # LZMA has a dictionary of 8 MB
    finally:
        tracemalloc.stop()


def patched_directory(path, field, value):
    """Change a field of the first central directory entry, as a liar would."""
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\1\2")
    struct.pack_into(
        "<L", data, start + {"crc": 16, "compressed": 20, "size": 24, "offset": 42}[field], value
    )
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("crc", 12345),
        ("size", 3),
        ("size", 10_000_000),
        ("size", 2_000_000_000),
        ("compressed", 2),
        ("compressed", 100_000),
        ("offset", 7),
        ("offset", 4_000_000),
    ],
)
def test_a_directory_that_lies_is_refused(tmp_path, field, value):
    wheel = raw_wheel(tmp_path / "pkg-1.0-py3-none-any.whl", GOOD)
    assert refusal(patched_directory(wheel, field, value))


def test_a_member_without_a_name_is_refused(tmp_path):
    wheel = raw_wheel(tmp_path / "pkg-1.0-py3-none-any.whl", {"a": b"x"})
    data = bytearray(wheel.read_bytes())
    struct.pack_into("<HH", data, data.index(b"PK\1\2") + 28, 0, 1)  # its name is said to be extra data
    wheel.write_bytes(data)
    assert "points outside the layer or is not portable" in refusal(wheel)


def test_a_bomb_does_not_unpack(tmp_path):
    wheel = raw_wheel(tmp_path / "pkg-1.0-py3-none-any.whl", {"pkg/zeros": bytes(30_000_000)})
    assert refusal(patched_directory(wheel, "size", 100))
    assert wheel.stat().st_size < 100_000


def test_overlapping_members_are_refused(tmp_path):
    wheel = raw_wheel(tmp_path / "pkg-1.0-py3-none-any.whl", {"a.py": b"x" * 1000, "b.py": b"y" * 1000})
    data = bytearray(wheel.read_bytes())
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)
    struct.pack_into("<L", data, second + 42, 0)  # the second member claims to begin where the first does
    wheel.write_bytes(data)
    assert refusal(wheel)


@pytest.mark.parametrize("length", [0, 10, 100, -1, -30])
def test_a_truncated_file_is_refused(tmp_path, length):
    wheel = raw_wheel(tmp_path / "pkg-1.0-py3-none-any.whl", GOOD)
    wheel.write_bytes(wheel.read_bytes()[:length])
    assert "pkg-1.0-py3-none-any.whl" in refusal(wheel)


@pytest.mark.large
def test_more_members_than_the_short_directory_can_count(tmp_path):
    members = {f"pkg/m{number}.py": b"" for number in range(70_000)}
    wheel = raw_wheel(tmp_path / "pkg-1.0-py3-none-any.whl", members)
    assert len(read_members(wheel)) == 70_000


def written(folder, data):
    path = folder / "pkg-1.0-py3-none-any.whl"
    path.write_bytes(data)
    return path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(wheels())
def test_any_way_to_write_a_zip_file_is_read(tmp_path, wheel):
    assert whole(written(tmp_path, wheel.data)) == wheel.files


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    max_examples=5 * settings.default.max_examples,
)
@given(damaged_wheels())
def test_no_damage_goes_unnoticed(tmp_path, wheel):
    """Whatever bytes are changed: the reader gives the true content, or its own error, and nothing else."""
    with suppress(ArchiveError):
        assert set(whole(written(tmp_path, wheel.data)).values()) <= set(wheel.files.values())


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    max_examples=3 * settings.default.max_examples,
)
@given(st.one_of(wheels(), damaged_wheels()))
def test_whatever_is_accepted_becomes_a_sound_layer(tmp_path, wheel):
    """All the way from a wheel to a verified archive there is an archive that unpacks, or an ArchiveError."""
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        path = written(Path(folder), wheel.data)
        with suppress(ArchiveError):
            part = lay_out(inspected(path, Path(folder) / "cache"), PYTHON313.runtime)
            archive = assemble([part], Path(folder) / "layer.zip")
            verify(archive, target())
            assert set(unzipped(archive.path)) == {entry.path for entry in part.entries}


@pytest.mark.parametrize("damaged", ["cut off", "[]", "{}", '{"members": [["pkg/a.py"]]}'])
def test_what_was_found_out_is_kept(tmp_path, damaged):
    wheel = make_wheel(tmp_path, "pkg", "1.0", files={"pkg/__init__.py": b"x = 1\n"})
    first = inspected(wheel, tmp_path / "cache")
    assert inspected(wheel, tmp_path / "cache") == first
    (known,) = (tmp_path / "cache").glob("records/inspected/*/*")
    known.write_text(damaged)
    assert inspected(wheel, tmp_path / "cache") == first
