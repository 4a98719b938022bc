import io
import tarfile
import zipfile

import pytest
from package_index import make_sdist, make_wheel

from entrypoint.errors import CompileError
from entrypoint.wheels.sdist import build_system, static_metadata, wheel_metadata


@pytest.mark.parametrize(
    ("metadata", "dynamic", "is_static"),
    [
        ("2.1", (), False),
        ("2.2", (), True),
        ("2.4", ("License-File", "Description"), True),
        ("2.2", ("Requires-Dist",), False),
        ("2.2", ("requires-python",), False),
        ("2.2", ("Provides-Extra",), False),
        ("nonsense", (), False),
    ],
)
def test_what_an_sdist_says_of_itself_counts_where_it_promises_to_keep_to_it(
    tmp_path, metadata, dynamic, is_static
):
    sdist = make_sdist(tmp_path, "thing", "1.0", metadata=metadata, dynamic=dynamic, requires=("below>=1",))
    text = static_metadata(sdist)
    assert (text is not None) == is_static
    assert not is_static or b"Requires-Dist: below>=1" in text


def test_an_sdist_may_be_a_zip_file_and_only_its_top_folder_counts(tmp_path):
    path = tmp_path / "thing-1.0.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("thing-1.0/vendored/PKG-INFO", "Metadata-Version: 2.2\nName: other\n")
        archive.writestr("thing-1.0/PKG-INFO", "Metadata-Version: 2.2\nName: thing\n")
        archive.writestr("thing-1.0/vendored/pyproject.toml", "[build-system]\nrequires = ['wrong']\n")
    assert static_metadata(path) == b"Metadata-Version: 2.2\nName: thing\n"
    assert build_system(path).requires == ("setuptools>=40.8.0",)


@pytest.mark.parametrize(
    ("text", "requires", "backend"),
    [
        (None, ("setuptools>=40.8.0",), "setuptools.build_meta:__legacy__"),
        ("[tool.ruff]\n", ("setuptools>=40.8.0",), "setuptools.build_meta:__legacy__"),
        ("[build-system]\nrequires = ['a', 'b>=2']\n", ("a", "b>=2"), "setuptools.build_meta:__legacy__"),
        ("[build-system]\nrequires = []\nbuild-backend = 'x:y'\n", (), "x:y"),
    ],
)
def test_how_an_sdist_is_to_be_built(tmp_path, text, requires, backend):
    sdist = make_sdist(tmp_path, "thing", "1.0", files={"pyproject.toml": text} if text else {"x": "y"})
    system = build_system(sdist)
    assert (system.requires, system.backend, system.backend_path) == (requires, backend, ())


@pytest.mark.parametrize("text", ["[build-system", "build-system = 1\n", "[build-system]\nrequires = 1\n"])
def test_a_damaged_pyproject_is_told(tmp_path, text):
    sdist = make_sdist(tmp_path, "thing", "1.0", files={"pyproject.toml": text})
    with pytest.raises(CompileError, match=r"cannot read pyproject\.toml of thing-1\.0\.tar\.gz"):
        build_system(sdist)


@pytest.mark.parametrize("name", ["thing-1.0.tar.gz", "thing-1.0.zip"])
@pytest.mark.parametrize("data", [b"", b"not an archive", b"PK\3\4", b"\x1f\x8b\x08\x00"])
def test_a_damaged_archive_is_told(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CompileError, match="is not a valid archive"):
        static_metadata(tmp_path / name)


def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path):
    path = tmp_path / "thing-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        link = tarfile.TarInfo("thing-1.0/PKG-INFO")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link, io.BytesIO())
    assert static_metadata(path) is None


def test_the_metadata_of_a_wheel(tmp_path):
    assert b"Name: thing\n" in wheel_metadata(make_wheel(tmp_path, "thing", "1.0"))
    (tmp_path / "bad-1.0-py3-none-any.whl").write_bytes(b"")
    with pytest.raises(CompileError, match="cannot read METADATA of"):
        wheel_metadata(tmp_path / "bad-1.0-py3-none-any.whl")
