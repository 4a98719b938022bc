"""Projects with something to compile, and the command that compiles it, down to a real engine."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import command
import shared

COMMAND = Path(sys.executable).with_name("lambda-layers")
BUILDER = "lambda-layers-tests:builder"
"""AWS's build image, or a local replacement whose Python is below /root; here all users can run it."""
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "aws-s3cret",
    "AWS_SESSION_TOKEN": "aws-t0ken",
    "GITHUB_TOKEN": "github-t0ken",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "actions-t0ken",
}


class Project:
    """A manifest with one layer, an index to lock it from, and the command to build it with."""

    def __init__(self, folder, environment, index=None):
        self.folder = folder / "project"
        self.folder.mkdir()
        self.index = index
        self.cache = folder / "cache" / "lambda-layers"
        path = os.pathsep.join([str(COMMAND.parent), environment.get("PATH", os.environ["PATH"])])  # has uv
        self.environment = {**environment, "XDG_CACHE_HOME": str(self.cache.parent), "PATH": path}

    def declare(self, *requirements, **layer):
        # Modules are imported in tests of that; a container for it takes a second.
        layer = {"requirements": requirements, "runtimes": ["python3.13"], "verify": "static", **layer}
        manifest = {"version": 1, "layers": {"web": layer}}
        (self.folder / "lambda-layers.yml").write_text(json.dumps(manifest))

    def start(self, *arguments, **variables):
        return subprocess.Popen(
            [COMMAND, *arguments],
            cwd=self.folder,
            env=self.environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments, expect=0, **variables):
        result = command.run(arguments, folder=self.folder, environment=self.environment | variables)
        said = result.stdout + result.stderr
        assert result.returncode == expect, said
        assert "Traceback" not in said
        return said

    @property
    def lock(self):
        return (self.folder / "web-python3.13-x86_64.txt").read_text()

    @property
    def archive(self):
        return self.folder / ".lambda-layers" / "build" / "web-python3.13-x86_64.zip"


def dockerfile(engine, text, **options):
    image, _ = engine.images.build(fileobj=io.BytesIO(text.encode()), rm=True, forcerm=True, **options)
    return image


def open_builder(engine, tmp_path_factory):
    """Make BUILDER, once for all workers; it is kept for the next run, and has the layers of AWS' image."""

    def make(_):
        base = "public.ecr.aws/sam/build-python3.13:latest-x86_64"
        dockerfile(engine, f"FROM {base}\nRUN chmod o+x /root\n", tag=BUILDER)

    shared.folder(tmp_path_factory, "builder", make)


def ended(process):
    """What a process says until it ends, which must be soon."""
    try:
        return process.communicate(timeout=60)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def until(stream, text):
    """Read a process' output until a line says so."""
    assert any(text in line for line in stream), f"it never said {text!r}"
