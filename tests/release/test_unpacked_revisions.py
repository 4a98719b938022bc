"""What a revision may write: files below its folder, whatever the entries of its tree are named."""

import os
import subprocess

import pytest

from entrypoint.release.git import Repository

IDENTITY = {
    f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}


@pytest.fixture
def git(tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()

    def run(*arguments, given=b""):
        command = ["git", *arguments]
        answer = subprocess.run(
            command, cwd=folder, env=os.environ | IDENTITY, input=given, capture_output=True, check=True
        )
        return answer.stdout.decode().strip()

    run("init", "-q")
    return run


def test_no_entry_leaves_the_folder(git, tmp_path):
    def blob(text):
        return bytes.fromhex(git("hash-object", "-w", "--stdin", given=text))

    def tree(*entries):
        content = b"".join(f"{mode} {name}\0".encode() + sha for mode, name, sha in entries)
        written = git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", given=content)
        return bytes.fromhex(written)

    file, away, inside = blob(b"text"), blob(b"../.."), blob(b"folder/file")
    top = tree(
        ("100644", "../outside", file),
        ("100644", "/outside", file),
        ("120000", "away", away),
        ("40000", "away", tree(("100644", "outside", file))),
        ("120000", "below", inside),
        ("40000", "folder", tree(("100755", "file", file))),
        ("160000", "module", bytes(20)),
    )
    commit = git("commit-tree", top.hex(), "-m", "hostile")
    into = tmp_path / "in"
    into.mkdir()
    Repository(tmp_path / "repository").unpack(commit, into)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "repository"]
    written = {path.relative_to(into).as_posix() for path in into.rglob("*")}
    assert written == {"away", "away/outside", "below", "folder", "folder/file"}
    assert not (into / "away").is_symlink()
    assert (into / "below").read_text() == "text"
    assert os.access(into / "folder" / "file", os.X_OK)
