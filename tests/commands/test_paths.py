"""Files that a manifest may name: a pull request cannot read or publish others of the machine."""

import subprocess

import command
import pytest
from package_index import pip_environment

MANIFEST = "version: 1\nlayers:\n  web: {{{}, runtimes: [python3.13]}}\n"
SECRET = "aws_secret_access_key = s3cret"


@pytest.fixture
def project(tmp_path):
    """A repository, beside a file with credentials."""
    (tmp_path / "home").mkdir()
    for name in ("credentials", "credentials.txt"):
        (tmp_path / "home" / name).write_text(f"[default]\n{SECRET}\n")
    folder = tmp_path / "repository" / "services" / "web"
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", tmp_path / "repository"], check=True)
    (folder / "web.in").write_text("six\n")
    return folder


@pytest.fixture
def check(project, tmp_path):
    def check(*arguments, code, of="check"):
        environment = pip_environment(tmp_path / "home", PIP_NO_INDEX="1")
        result = command.run([of, *arguments], folder=project, environment=environment)
        said = result.stdout + result.stderr
        assert result.returncode == code, said
        assert "s3cret" not in said
        assert "Traceback" not in said
        return said

    return check


def write(project, keys):
    (project / "lambda-layers.yml").write_text(MANIFEST.format(keys))


@pytest.mark.parametrize(
    "keys",
    [
        "requirements: web.in, include: [creds.py]",
        "requirements: web.in, include: ../../../home",
        "content: ../../..",
        "content: /etc",
        "requirements: [../../../home/credentials.txt]",
        "requirements: creds.txt",
        "requirements: web.in, lock: ../../../home/credentials.txt",
        "requirements: web.in, lock: creds.txt",
        "requirements: web.in, include: [../../.git/config]",
        "content: ../../.git",
    ],
)
def test_what_is_outside_is_refused(project, check, keys):
    """So are the files of git, which may have the token of a checkout."""
    for name in ("creds.py", "creds.txt"):  # committed links
        (project / name).symlink_to("../../../home/credentials.txt")
    write(project, keys)
    for of in ("check", "lock", "build"):
        said = check(code=5, of=of)
        assert said.startswith("error: lambda-layers.yml:3:")
        assert "is outside the repository; use a file of the repository, or allow its folder with:" in said


def test_files_of_a_rollout_and_an_export(project, check):
    write(project, "requirements: web.in")
    with (project / "lambda-layers.yml").open("a") as file:
        file.write("export: {file: ../../../home/x.json}\n")
        file.write("rollout: {check: {invoke: {function: f, payload: ../../../home/credentials}}}\n")
    said = check(code=5)
    assert "lambda-layers.yml:4:16: ../../../home/x.json is outside the repository" in said
    assert "lambda-layers.yml:5:50: ../../../home/credentials is outside the repository" in said


@pytest.mark.parametrize(
    "file", ["out-{region}/x.json", "out-{region}/new/x.json", "{account}-{region}/x.json"]
)
def test_a_committed_link_for_the_template_of_an_export(project, check, file):
    (project / "out-eu-west-1").symlink_to("../../../home")
    write(project, "requirements: web.in")
    with (project / "lambda-layers.yml").open("a") as manifest:
        manifest.write(f"export: {{file: '{file}'}}\n")
    assert "lambda-layers.yml:4:16: out-eu-west-1" in check(code=5)
    (project / "out-eu-west-1").unlink()
    (project / "out-eu-west-1").symlink_to("..")
    assert "has no lock" in check(code=6)


def test_the_rest_of_the_repository_is_inside(project, check):
    (project / "../../shared.in").write_text("six\n")
    (project / "more.in").symlink_to("../../shared.in")
    write(project, "requirements: [../../shared.in, more.in]")
    assert "has no lock for python3.13-x86_64" in check(code=6)


def test_a_folder_that_is_allowed(project, check, tmp_path):
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "base.in").write_text("six\n")
    write(project, "requirements: ../../../common/base.in")
    check(code=5)
    assert "has no lock" in check("--allow-outside", str(tmp_path / "common"), code=6)
    (project / "web.in").write_text("-r ../../../common/base.in\n-r ../../../home/credentials.txt\n")
    write(project, "requirements: web.in")
    said = check("--allow-outside", str(tmp_path / "common"), code=5, of="lock")
    assert "base.in" not in said
    assert "error: web.in:2: " in said
    assert "credentials.txt is outside the repository" in said


@pytest.mark.parametrize("lock", ["own.txt", "web-python3.13-x86_64.txt"])
def test_what_a_lock_includes_is_inside_too(project, check, lock):
    (project / lock).write_text("-r ../../../home/credentials.txt\n")
    write(project, "requirements: web.in" + (", lock: own.txt" if lock == "own.txt" else ""))
    assert "credentials.txt is outside the repository" in check(code=6)


@pytest.mark.parametrize("name", ["gha-creds-1.json", ".netrc", "credentials"])
def test_no_line_of_another_file_is_printed(project, check, name):
    """The checkout too may hold credentials: those that other steps leave."""
    (project / "../.." / name).write_text(f"{SECRET}\n")
    (project / "web.in").write_text(f"-r ../../{name}\n")
    write(project, "requirements: web.in")
    assert "does not have the name of a requirements file" in check(code=5, of="lock")
    write(project, f"requirements: [six], lock: ../../{name}")
    assert "does not have the name of a requirements file" in check(code=6)


def test_committed_links_in_the_place_of_our_own_files(project, check, tmp_path):
    write(project, "requirements: web.in")
    lock = project / "web-python3.13-x86_64.txt"
    lock.symlink_to("../../../home/credentials.txt")
    assert "web-python3.13-x86_64.txt is a link that leads out of the repository" in check(code=5)
    lock.unlink()
    (project / ".lambda-layers").symlink_to("../../../home")
    assert ".lambda-layers is a link that leads out of the repository" in check(code=5, of="build")
    (project / ".lambda-layers").unlink()
    (project / ".lambda-layers" / "build").mkdir(parents=True)
    for name in ("build/web-python3.13-x86_64.wheels", "local-aws.json", "cache"):
        link = project / ".lambda-layers" / name
        link.symlink_to(tmp_path / "home")
        assert f"{link.name} is a link that leads out of the repository" in check(code=5, of="build")
        link.unlink()
    (project / ".lambda-layers" / "build").rmdir()
    (project / ".lambda-layers" / "build").symlink_to(tmp_path / "home")
    assert "build is a link that leads out of the repository" in check(code=5, of="build")
    (project / ".lambda-layers" / "build").unlink()
    with (project / "lambda-layers.yml").open("a") as file:
        file.write("functions: {f: {layers: ['arn:aws:lambda:eu-west-1:123456789012:layer:x:latest']}}\n")
    (project / "lambda-layers.lock").symlink_to("/dev/zero")
    assert "lambda-layers.lock is a link that leads out of the repository" in check(code=5)
    (project / "lambda-layers.yml").unlink()
    (project / "lambda-layers.yml").symlink_to("../../../home/credentials")
    assert "lambda-layers.yml: is a link that leads out of the repository" in check(code=5)
