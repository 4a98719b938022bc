"""What an archive is made of, and what the layers of one function both bring."""

import io
import zipfile

import pytest

from entrypoint.release.archive_contents import FileKind, Inventory, contents_of
from entrypoint.release.archive_packages import ArchivePackages
from entrypoint.release.overview import duplicates

RECORD = "foo/__init__.py,,\nfoo/_c.cpython-313-x86_64-linux-gnu.so,,\nfoo.libs/libx.so.1.2,,\nfoo/a.json,,\nfoo-1.0.dist-info/RECORD,,\n"
MEMBERS = {
    "python/foo/__init__.py": "a" * 10,
    "python/foo/__pycache__/__init__.cpython-313.pyc": "b" * 20,
    "python/foo/_c.cpython-313-x86_64-linux-gnu.so": "c" * 400,
    "python/foo.libs/libx.so.1.2": "d" * 100,
    "python/foo/a.json": "e" * 5,
    "python/foo-1.0.dist-info/RECORD": RECORD,
    "python/common/mine.py": "f" * 7,
    "python/common/__pycache__/mine.cpython-313.pyc": "g" * 8,
    "bin/tool": "h" * 9,
}


def inventory(layer, members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return Inventory(
        layer=layer,
        origin="here",
        zipped=1,
        contents=contents_of(ArchivePackages(file, name=layer)),
        paths=frozenset(members),
    )


def test_packages_by_kind_with_the_bytecode_that_was_made_of_them():
    found = {each.name: each for each in inventory("web", MEMBERS).contents}
    foo = found["foo"]
    assert (foo.version, foo.files) == ("1.0", 6)
    assert foo.sizes == {
        FileKind.PYTHON: 10,
        FileKind.BYTECODE: 20,
        FileKind.NATIVE: 500,
        FileKind.DATA: 5 + len(RECORD),
    }
    assert found["common"].sizes == {FileKind.PYTHON: 7, FileKind.BYTECODE: 8}
    assert found["common"].version is None
    assert found["bin"].sizes == {FileKind.DATA: 9}
    whole = inventory("web", MEMBERS)
    assert whole.size == sum(whole.sizes.values()) == sum(map(len, MEMBERS.values()))
    assert [each.name for each in whole.contents] == ["foo", "common", "bin"]


def test_folders_are_no_files():
    assert inventory("web", {"python/": "", "python/a.py": "x"}).contents[0].files == 1


@pytest.mark.parametrize(
    ("layers", "expected"),
    [(("web", "tools"), 1), (("web",), 0), (("web", "foreign"), 0), (("web", "web"), 0)],
)
def test_duplicates_are_told_where_a_function_has_both(layers, expected):
    other = {name: text for name, text in MEMBERS.items() if name != "bin/tool"}
    known = {"web": inventory("web", MEMBERS), "tools": inventory("tools", other)}
    found = duplicates([("api", layers), ("worker", layers)], known)
    assert len(found) == expected
    for each in found:
        assert each.layers == ("web", "tools")
        assert each.packages == {"foo": ("1.0", "1.0")}
        assert each.functions == ("api", "worker")
        assert "python/foo/a.json" in each.paths
        assert "bin/tool" not in each.paths


def test_layers_that_share_nothing():
    known = {"web": inventory("web", MEMBERS), "tools": inventory("tools", {"bin/other": ""})}
    assert duplicates([("api", ("web", "tools"))], known) == ()
