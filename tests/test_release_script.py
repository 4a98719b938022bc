"""What a release says and runs: a copy of the repository, and the script that the workflow calls in it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from entrypoint import __version__

ROOT = Path(__file__).parent.parent
DIGEST = f"ghcr.io/lambda-layer-pipeline/lambda-layer-pipeline@sha256:{'0a' * 32}"
CHANGELOG = f"""\
# Changelog

## Unreleased

### Added

- What comes next.

## {__version__} - 2026-11-23

### Added

- `## 9.9.9` in a line.

## [0.0.1] - 2026-01-01

- The first.
"""


@pytest.fixture
def copy(tmp_path):
    for name in ("action.yml", "entrypoint/__init__.py", ".github/release.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    return tmp_path


@pytest.fixture
def release(copy):
    def release(*arguments):
        command = [sys.executable, "-I", copy / ".github" / "release.py", *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        return ended.returncode, ended.stdout, ended.stderr

    return release


def test_notes_are_what_stands_under_the_version(release):
    assert release("notes", f"v{__version__}") == (0, "### Added\n\n- `## 9.9.9` in a line.\n", "")


def test_a_version_that_is_not_the_packages(release):
    code, out, err = release("notes", "v0.0.1")
    assert (code, out) == (1, "")
    assert "entrypoint/__init__.py is not of version 0.0.1" in err


def test_a_version_that_the_changelog_does_not_know(release, copy):
    (copy / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n- All.\n")
    code, _, err = release("notes", f"v{__version__}")
    assert code == 1
    assert f"CHANGELOG.md says nothing of {__version__}" in err


def test_a_release_runs_its_own_image(release, copy):
    before = yaml.safe_load((copy / "action.yml").read_text())
    assert release("pin", DIGEST) == (0, "", "")
    action = yaml.safe_load((copy / "action.yml").read_text())
    assert action == before | {"runs": {"using": "docker", "image": f"docker://{DIGEST}"}}
    check = Path(sys.executable).with_name("check-jsonschema")
    command = [check, "--builtin-schema", "vendor.github-actions", copy / "action.yml"]
    subprocess.run(command, check=True, capture_output=True)
    code, _, err = release("pin", DIGEST)
    assert code == 1
    assert "action.yml has 'image: Dockerfile' 0 times, not once" in err


@pytest.mark.parametrize("image", ["ghcr.io/a/b:v1", "ghcr.io/a/b@sha256:12", f"{DIGEST}\n  args: [x]"])
def test_only_a_digest_is_a_pin(release, copy, image):
    before = (copy / "action.yml").read_bytes()
    assert release("pin", image)[0] == 1
    assert (copy / "action.yml").read_bytes() == before
