"""Which packages an archive holds: ours, and those that strangers made."""

import io
import struct
import tracemalloc
import zipfile

import pytest

from entrypoint.errors import AwsError
from entrypoint.release.archive_packages import ArchivePackages


def packages(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return ArchivePackages(file, name="web:1")


def cost(name, text):
    return len(text) + 30 + 46 + 2 * len(name)


@pytest.mark.parametrize("root", ["python/", "python/lib/python3.13/site-packages/"])
def test_a_package_is_what_its_record_lists(root):
    record = '"shared/a.py",,\nFoo_Bar-1.0.dist-info/RECORD,,\nnowhere.py,,\n'
    members = {
        f"{root}shared/a.py": "a" * 100,
        f"{root}shared/b.py": "b" * 200,
        f"{root}shared/__pycache__/a.cpython-313.pyc": "c" * 300,
        f"{root}Foo_Bar-1.0.dist-info/RECORD": record,
    }
    found = packages(members)
    assert found.versions == {"foo-bar": "1.0"}
    counted = [f"{root}shared/a.py", f"{root}Foo_Bar-1.0.dist-info/RECORD"]
    assert found.size("foo-bar") == sum(cost(name, members[name]) for name in counted)


def test_scripts_stand_beside_the_packages():
    members = {"bin/tool": "run", "python/tool-2.dist-info/RECORD": "../bin/tool,,\n"}
    found = packages(members)
    assert found.size("tool") == cost("bin/tool", "run")


def test_a_layer_without_packages():
    assert packages({"bin/tool": "run", "python/module.py": ""}).versions == {}


def test_what_is_no_zip():
    with pytest.raises(AwsError, match="web:1 is not a layer archive"):
        ArchivePackages(io.BytesIO(b"nothing"), name="web:1")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.replace(b"rows of a record", b"rows of a RECORD"),  # not what its checksum says
        lambda data: data.replace(
            b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00\x00"
        ),
        lambda data: data.replace(b"rows of a record", b"," * 16),
    ],
    ids=["checksum", "encrypted", "checksum of other bytes"],
)
def test_a_record_that_cannot_be_read_is_told(damage):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("python/six-1.0.dist-info/RECORD", "rows of a record,,\n")
    damaged = damage(file.getvalue())
    assert damaged != file.getvalue()
    with pytest.raises(AwsError, match=r"RECORD of web:1 cannot be read: .*; publish the layer again"):
        ArchivePackages(io.BytesIO(damaged), name="web:1").listed("six")


@pytest.mark.large
def test_a_record_that_unpacks_to_much_is_refused_in_little_memory():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("python/six-1.0.dist-info/RECORD", bytes(200 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(AwsError, match="unpacks to more than 33,554,432 bytes"):
            ArchivePackages(file, name="web:1").listed("six")
        assert tracemalloc.get_traced_memory()[1] < 120 << 20
    finally:
        tracemalloc.stop()


def test_a_huge_directory_is_refused_before_it_is_read(tmp_path):
    size = 400 << 20
    with (tmp_path / "layer.zip").open("w+b") as file:
        file.seek(size)  # a sparse file
        file.write(struct.pack("<4s4xHHLLH", b"PK\5\6", 1, 1, size, 0, 0))
        with pytest.raises(AwsError, match=r"is not a layer archive: a header or table of .* is too large"):
            ArchivePackages(file, name="web:1")
