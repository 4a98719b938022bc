"""What a revision's archive may write: files below its folder, whatever its members are named."""

import io
import tarfile

from entrypoint.release.git import _unpack


def member(name, kind=tarfile.REGTYPE, target=""):
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, target
    found.size = 4 if kind == tarfile.REGTYPE else 0
    return found


def test_no_member_leaves_the_folder(tmp_path):
    hostile = [
        member("../outside"),
        member("away", tarfile.SYMTYPE, "../.."),
        member("away/outside"),
        member("/outside"),
        member("pipe", tarfile.FIFOTYPE),
        member("below", tarfile.SYMTYPE, "folder/file"),
        member("folder/file"),
    ]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for each in hostile:
            archive.addfile(each, io.BytesIO(b"text") if each.isfile() else None)
    packed.seek(0)
    into = tmp_path / "in"
    into.mkdir()
    with tarfile.open(fileobj=packed) as archive:
        _unpack(archive, into)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    written = {path.relative_to(into).as_posix() for path in into.rglob("*")}
    assert written == {"away", "away/outside", "below", "folder", "folder/file"}
    assert not (into / "away").is_symlink()
    assert (into / "below").read_text() == "text"
