"""`lambda-layers diff`: what AWS has, or a git revision, against the locks as they are."""

import json
import os
import subprocess
from dataclasses import replace

import pytest
from deploying import MANIFEST
from package_index import IndexServer, make_wheel, sha256

from entrypoint.cli import main

GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    **{f"GIT_{who}_{what}": "t@t.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


@pytest.fixture
def git(project, monkeypatch):
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)

    def run(*arguments, folder=project):
        subprocess.run(["git", *arguments], cwd=folder, env=os.environ | GIT, check=True, capture_output=True)

    run("init", "-q", "-b", "main")
    return run


@pytest.fixture
def commit(git):
    def save(message):
        git("add", "-A", "-f", ".", ":!.lambda-layers")
        git("commit", "-qm", message)

    return save


@pytest.fixture
def diff(capsys):
    def run(*arguments, code=0):
        capsys.readouterr()
        assert main(["diff", *arguments]) == code
        said = capsys.readouterr()
        return (said.err if code > 2 else said.out).splitlines()

    return run


@pytest.fixture
def sizes(tmp_path, monkeypatch):
    """An index that lists the wheels' sizes, in the place of the folder that does not."""
    with IndexServer(tmp_path / "wheels") as server:
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.delenv("PIP_FIND_LINKS")
        monkeypatch.setenv("PIP_INDEX_URL", server.url)
        yield lambda name, version: next((tmp_path / "wheels").glob(f"{name}-{version}-*")).stat().st_size


TOOLS = "tools-python3.13-x86_64"


def tools_of(text):
    (found,) = (target for target in json.loads(text)["targets"] if target["target"] == TOOLS)
    return found


class TestAws:
    def test_nothing_there_yet(self, diff):
        lines = diff()
        start = lines.index(f"{TOOLS}  eu-west-1 -> the working tree")
        assert lines[start + 1 : start + 3] == [
            "  the layer tools does not exist in eu-west-1 yet",
            "  added       attrs  3.0",
        ]

    def test_nothing_changed(self, diff, written):
        main(["deploy"])
        written()
        lines = diff()
        assert lines.count("  no package changes") == 3
        assert f"{TOOLS}  tools:1 in eu-west-1 -> the working tree" in lines
        assert written() == []

    def test_what_changed_with_sizes(self, project, pin, diff, sizes, tmp_path):
        main(["deploy"])
        pin("tools.txt", "attrs", "4.0")
        with (project / "tools.txt").open("a") as lock:
            wheel = make_wheel(tmp_path / "wheels", "more", "1.0", files={"more.py": os.urandom(300_000)})
            lock.write(f"more==1.0 --hash=sha256:{sha256(wheel)}\n")
        found = tools_of("\n".join(diff("--json")))
        upgraded, added = found["packages"]
        assert (upgraded["change"], upgraded["before"]["version"]) == ("upgraded", "3.0")
        assert upgraded["after"] == {"version": "4.0", "size": sizes("attrs", "4.0")}
        assert added["after"] == {"version": "1.0", "size": sizes("more", "1.0")}
        # The archive has all members of the wheel but for a byte here or there: it deflates RECORD anew.
        assert upgraded["before"]["size"] == pytest.approx(sizes("attrs", "3.0"), abs=60)
        assert found["size"] == upgraded["size"] + added["size"]
        assert diff()[-4:] == [
            f"{TOOLS}  tools:1 in eu-west-1 -> the working tree",
            f"  upgraded    attrs  3.0 -> 4.0  {upgraded['size'] / 1000:+.1f} kB",
            "  added       more   1.0         +0.3 MB",
            "  +0.3 MB zipped",
        ]

    def test_the_latest_version_counts_whatever_the_functions_have(self, pin, diff):
        for version in ("3.0", "4.0"):
            pin("tools.txt", "attrs", version)
            main(["deploy"])
        pin("tools.txt", "attrs", "3.0")
        assert "  downgraded  attrs  4.0 -> 3.0" in diff()

    def test_regions_that_differ_are_told_apart(self, project, pin, diff):
        main(["deploy"])
        pin("tools.txt", "attrs", "4.0")
        both = MANIFEST.replace("[eu-west-1]", "[eu-west-1, us-east-1]")
        (project / "lambda-layers.yml").write_text(both.partition("functions")[0])
        lines = diff()
        assert lines[-5:] == [
            f"{TOOLS}  tools:1 in eu-west-1 -> the working tree",
            "  upgraded    attrs  3.0 -> 4.0",
            f"{TOOLS}  us-east-1 -> the working tree",
            "  the layer tools does not exist in us-east-1 yet",
            "  added       attrs  4.0",
        ]
        main(["deploy"])
        assert f"{TOOLS}  tools:2 in eu-west-1, tools:1 in us-east-1 -> the working tree" in diff()

    def test_an_archive_that_is_no_more_where_it_was(self, aws, diff):
        main(["deploy"])
        (held,) = aws.cloud.regions.values()
        (version,) = held.layers["tools"].versions.values()
        version = replace(version, archive=replace(version.archive, sha256="AAAA" * 11))
        held.layers["tools"].versions[1] = version
        lines = diff(code=10)
        assert "error: cannot read the archive of tools:1 in AWS: the server returned 404" in "\n".join(lines)
        assert "127.0.0.1" not in "\n".join(lines)


class TestGit:
    def test_a_revision_against_the_working_tree(self, commit, pin, diff, aws):
        commit("one")
        pin("tools.txt", "attrs", "4.0")
        lines = diff("HEAD")
        assert lines[-2:] == [f"{TOOLS}  HEAD -> the working tree", "  upgraded    attrs  3.0 -> 4.0"]
        assert aws.call_log == ()
        assert diff("HEAD", "HEAD").count("  no package changes") == 3

    def test_two_revisions_whatever_lies_about(self, project, commit, pin, diff):
        commit("one")
        pin("tools.txt", "attrs", "4.0")
        commit("two")
        (project / "lambda-layers.yml").write_text(MANIFEST.replace("  tools:", "  other:"))
        (project / "lambda-layers.yml").write_text(
            (project / "lambda-layers.yml").read_text().replace("web, tools", "web")
        )
        (project / "tools.txt").write_text("")
        assert "  upgraded    attrs  3.0 -> 4.0" in diff("HEAD~1", "HEAD")
        assert "  downgraded  attrs  4.0 -> 3.0" in diff("HEAD", "HEAD~1")
        assert (project / "tools.txt").read_text() == ""
        assert f"{TOOLS}  HEAD -> the working tree" in diff("HEAD")

    def test_locks_of_ours_that_are_missing_or_out_of_step(self, project, commit, diff):
        (project / "lambda-layers.yml").write_text(
            "version: 1\nlayers: {web: {requirements: web.in, runtimes: [python3.13]}}\n"
        )
        (project / "web.in").write_text("six\n")
        commit("no lock")
        assert main(["lock"]) == 0
        commit("a lock")
        (project / "web.in").write_text("six\nattrs\n")
        commit("out of step")
        assert diff("HEAD~2", "HEAD") == [
            "web-python3.13-x86_64  HEAD~2 -> HEAD",
            "  web-python3.13-x86_64 has no lock in HEAD~2",
            "  added       six  1.0",
        ]

    def test_a_manifest_below_the_top_that_reads_files_above(self, project, commit, diff, monkeypatch):
        service = project / "services" / "a"
        service.mkdir(parents=True)
        (project / "lambda-layers.yml").rename(service / "lambda-layers.yml")
        text = (service / "lambda-layers.yml").read_text().replace("tools.txt", "../../tools.txt")
        (service / "lambda-layers.yml").write_text(text.replace("web.txt", "../../web.txt"))
        (project / "link").symlink_to("/etc/passwd")
        commit("one")
        (project / "tools.txt").write_text(f"attrs==9.0 --hash=sha256:{'0' * 64}\n")
        manifest = str(service / "lambda-layers.yml")
        assert "  upgraded    attrs  3.0 -> 9.0" in diff("HEAD", "--manifest", manifest)
        monkeypatch.chdir(service)
        assert "  upgraded    attrs  3.0 -> 9.0" in diff("HEAD")

    def test_a_manifest_that_was_wrong_then(self, project, commit, diff):
        right = (project / "lambda-layers.yml").read_text()
        (project / "lambda-layers.yml").write_text(right.replace("runtimes", "runtime"))
        commit("wrong")
        (project / "lambda-layers.yml").write_text(right)
        assert all(line.startswith("error: HEAD:lambda-layers.yml:4:") for line in diff("HEAD", code=5)[:1])

    def test_no_program_of_the_configuration_runs(self, project, commit, git, pin, diff):
        (project / ".gitattributes").write_text(
            "*.txt filter=theirs diff=theirs text eol=crlf\n*.in export-ignore\n"
        )
        commit("one")
        pin("tools.txt", "attrs", "4.0")
        for key in ("filter.theirs.smudge", "filter.theirs.clean", "diff.theirs.textconv", "core.fsmonitor"):
            git("config", key, "touch ran; cat")
        git("config", "filter.theirs.process", "touch ran")
        git("config", "filter.theirs.required", "true")
        git("config", "core.hooksPath", "hooks")
        git("config", "tar.umask", "touch ran")
        assert "  upgraded    attrs  3.0 -> 4.0" in diff("HEAD")
        assert not (project / "ran").exists()

    @pytest.mark.parametrize("revision", ["nowhere", "HEAD:lambda-layers.yml", "--output=stolen"])
    def test_a_revision_that_there_is_not(self, project, commit, diff, revision):
        commit("one")
        (line,) = diff("--", revision, code=4)
        assert line.startswith(f"error: the revision {revision!r} does not exist here")
        assert not (project / "stolen").exists()

    def test_no_repository(self, project, diff, monkeypatch):
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.parent))
        (line,) = diff("HEAD", code=4)
        assert f"{project} is not in a git repository" in line

    def test_no_git(self, diff, monkeypatch):
        monkeypatch.setenv("PATH", "")
        assert diff("HEAD", code=4) == ["error: git is not installed; install it to name a revision"]
