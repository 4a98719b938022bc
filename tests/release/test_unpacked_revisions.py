"""What a revision may write: files below its folder, whatever the entries of its tree are named."""

import os
import subprocess

import pytest

from entrypoint.errors import UsageError
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


def test_a_link_that_leads_out_through_a_later_one(git, tmp_path):
    repository, into = tmp_path / "repository", tmp_path / "in"
    (repository / "a").symlink_to("x/" * 9 + "../" * 9 + "secret")  # seems to be `secret`, in the folder
    (repository / "x").symlink_to(".")
    (repository / "loop").symlink_to("loop")
    git("add", "-A")
    git("commit", "-q", "-m", "hostile")
    (tmp_path / "secret").write_text("text")
    into.mkdir()
    Repository(repository).unpack("HEAD", into)
    assert [path.name for path in into.iterdir()] == ["x"]


def test_a_repository_in_a_revision_is_left_out(git, tmp_path):
    sha = bytes.fromhex(git("hash-object", "-w", "--stdin", given=b"text"))
    make = ("hash-object", "-t", "tree", "-w", "--stdin", "--literally")
    inside = bytes.fromhex(git(*make, given=b"100644 config\0" + sha))
    top = git(*make, given=b"40000 .GIT\0" + inside + b"100644 file\0" + sha)
    (tmp_path / "in").mkdir()
    Repository(tmp_path / "repository").unpack(top, tmp_path / "in")
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["file"]


@pytest.mark.parametrize("names", [("a", "a"), ("a" * 300,), ("a", "a/b")])
def test_files_that_cannot_be_written(git, tmp_path, names):
    sha = bytes.fromhex(git("hash-object", "-w", "--stdin", given=b"text"))
    content = b"".join(b"100644 %s\0%s" % (name.encode(), sha) for name in names)
    top = git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", given=content)
    (tmp_path / "in").mkdir()
    with pytest.raises(UsageError, match="cannot be written"):
        Repository(tmp_path / "repository").unpack(top, tmp_path / "in")


def test_a_revision_that_excludes_commits(git, tmp_path):
    git("commit", "-q", "--allow-empty", "-m", "one")
    with pytest.raises(UsageError, match="does not exist here"):
        Repository(tmp_path / "repository").commit("^HEAD")
