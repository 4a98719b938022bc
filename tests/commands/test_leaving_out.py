"""What a layer leaves out: packages, files, and bytecode that would make it too large."""

import json
import os
import random
import zipfile

import command
import pytest
from package_index import IndexServer, make_wheel, pip_environment

LIMIT = 262_144_000
LOCK = "web-python3.13-x86_64.txt"


@pytest.fixture
def shelf(tmp_path):
    return tmp_path / "shelf"


@pytest.fixture
def index(shelf):
    make_wheel(shelf, "app", "1.0", requires=("speedup", "shared"))
    make_wheel(shelf, "speedup", "1.0", requires=("below", "shared"))
    make_wheel(shelf, "below", "1.0", requires=("deep",))
    make_wheel(shelf, "deep", "1.0")
    make_wheel(shelf, "shared", "1.0")
    with IndexServer(shelf) as server:
        yield server


@pytest.fixture
def run(tmp_path, index):
    folder = tmp_path / "project"
    folder.mkdir()
    environment = pip_environment(tmp_path / "home", PIP_INDEX_URL=index.url)
    environment |= {"XDG_CACHE_HOME": str(tmp_path / "cache"), "DOCKER_HOST": command.NO_ENGINE}

    def run(*arguments, expect=0, **layer):
        if layer:
            layer = {"requirements": ["app"], "runtimes": ["python3.13"], **layer}
            (folder / "lambda-layers.yml").write_text(json.dumps({"version": 1, "layers": {"web": layer}}))
        result = command.run(arguments, folder=folder, environment=environment)
        said = result.stdout + result.stderr
        assert result.returncode == expect, said
        assert "Traceback" not in said
        return said

    run.folder = folder
    return run


@pytest.fixture
def built(run):
    """The files of the archive."""

    def names():
        with zipfile.ZipFile(
            run.folder / ".lambda-layers" / "build" / "web-python3.13-x86_64.zip"
        ) as archive:
            return {name.removeprefix("python/") for name in archive.namelist()}

    return names


def test_a_package_and_what_only_it_requires(run, built, index):
    layer = {"bytecode": False, "exclude_packages": ["Speedup"]}
    run("lock", **layer)
    assert "speedup==1.0" in (run.folder / LOCK).read_text()  # resolved like the rest
    asked = index.asked_for("speedup-1.0-py3-none-any.whl")  # its metadata
    said = run("build", "--locked")
    assert "missing-dependency" not in said
    modules = {name for name in built() if name.endswith(".py")}
    assert modules == {"app.py", "shared.py"}
    assert not any(name.startswith(("speedup-", "below-", "deep-")) for name in built())
    assert index.asked_for("speedup-1.0-py3-none-any.whl") == asked
    assert "all locks in sync" in run("check")


def test_a_lock_of_another_tool(run, built, index):
    run("lock", bytecode=False)
    text = (run.folder / LOCK).read_text()
    (run.folder / "own.txt").write_text(text[text.index("app==") :])
    run("build", bytecode=False, exclude_packages=["speedup"], lock="own.txt")
    assert {name for name in built() if name.endswith(".py")} == {"app.py", "shared.py"}


def test_patterns_that_match_nothing(run):
    (run.folder / "helper").mkdir()
    (run.folder / "helper" / "notes.md").write_text("")
    (run.folder / "helper" / "__init__.py").write_text("")
    patterns = ["docs", "app.py", "notes.md", "boto3/", "!nothing*"]
    run("lock", bytecode=False, include=["helper"], exclude=patterns)
    said = run("build")
    assert said.count("in exclude matches no file") == 2
    for pattern in ("'boto3/'", "'!nothing*'"):
        assert (
            f"{pattern} in exclude matches no file; correct it, or remove it; to leave out a package, "
            "use 'exclude_packages'" in said
        )


def add_zeros(path, name):
    """Add a file that alone is larger than a layer."""
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(name, "w", force_zip64=True) as file,
    ):
        for _ in range(LIMIT // 1_000_000 + 2):
            file.write(bytes(1_000_000))


def test_one_huge_file_that_is_excluded(run, built, shelf):
    path = make_wheel(shelf, "huge", "1.0")
    add_zeros(path, "nvidia/huge.bin")
    layer = {"requirements": ["huge"], "bytecode": False}
    run("lock", **layer)
    said = run("build", expect=9)
    assert "[unzipped-size]; split the layer or leave packages out with 'exclude_packages'" in said
    said = run("build", **layer, exclude=["nvidia/"])
    assert "huge.py" in built()
    assert "nvidia/huge.bin" not in built()


def test_nothing_is_compiled_for_a_layer_that_is_too_large(run, shelf):
    path = make_wheel(shelf, "huge", "1.0")
    add_zeros(path, "huge.bin")
    run("lock", requirements=["huge"])
    said = run("build", expect=9)
    assert "unzipped-size" in said
    assert "to bytecode" not in said


@pytest.mark.parametrize("bucket", [False, True])
def test_bytecode_that_makes_the_archive_too_large(run, built, shelf, bucket):
    """Without it, the archive can be uploaded directly."""
    numbers = random.Random(1)
    lines = "".join(f"a{n} = '{numbers.randbytes(40).hex()}'\n" for n in range(60_000))
    path = make_wheel(shelf, "large", "1.0", files={"large.py": lines})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("data.bin", os.urandom(52_428_800 - path.stat().st_size - 1_000_000))
    layer = {"requirements": ["large"], "runtimes": ["python3.13"]}
    manifest = {"version": 1, "layers": {"web": layer}} | ({"s3": {"bucket": "some"}} if bucket else {})
    (run.folder / "lambda-layers.yml").write_text(json.dumps(manifest))
    run("lock")
    said = run("build")
    has_bytecode = any(name.endswith(".pyc") for name in built())
    assert has_bytecode == bucket
    expected = (
        "has no bytecode: with it, the archive would exceed 52,428,800 bytes, and the manifest has no 's3:'"
    )
    assert (expected in said) == (not bucket)


PACKAGE = {
    "pkg/__init__.py": "from .core import run\n",
    "pkg/core.py": "from pkg.docs.params import table\nfrom .tests import runner\n",
    "pkg/lazy.py": "import lazy_loader\nlazy_loader.attach_stub(__name__, __file__)\n",
    "pkg/lazy.pyi": "",
    "pkg/other.pyi": "",
    "pkg/named.py": "import importlib\nimportlib.import_module('pkg.examples.one')\n",
    "pkg/newer.py": "type X[T: (int, str) = int] = T if if\nfrom pkg.doc import old, new\n",
    "pkg/docs/__init__.py": "",
    "pkg/docs/params.py": "from . import deeper\n",
    "pkg/docs/deeper.py": "",
    "pkg/docs/unused.py": "import pkg.test.never\n",
    "pkg/doc/__init__.py": "",
    "pkg/doc/old.py": "",
    "pkg/examples/one.py": "",
    "pkg/examples/two.py": "",
    "pkg/tests/__init__.py": "",
    "pkg/tests/runner.py": "",
    "pkg/tests/test_core.py": "import pkg.tests.helper\n",
    "pkg/tests/helper.py": "",
    "pkg/test/never.py": "",
    "pkg/notes.md": "",
}
STAYS = {
    *("pkg/__init__.py", "pkg/core.py", "pkg/lazy.py", "pkg/lazy.pyi", "pkg/named.py", "pkg/newer.py"),
    *("pkg/docs/__init__.py", "pkg/docs/params.py", "pkg/docs/deeper.py", "pkg/doc/__init__.py"),
    *("pkg/doc/old.py", "pkg/examples/one.py", "pkg/tests/__init__.py", "pkg/tests/runner.py"),
}


@pytest.mark.parametrize("own", [False, True], ids=["wheel", "repository"])
def test_presets_leave_what_the_remaining_code_imports(run, built, shelf, own):
    layer = {"bytecode": False, "exclude": ["tests", "stubs", "docs"]}
    if own:
        for name, text in PACKAGE.items():
            path = run.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        layer |= {"include": ["pkg"]}
    else:
        make_wheel(shelf, "pkg", "1.0", files=PACKAGE)
        layer |= {"requirements": ["pkg"]}
    run("lock", **layer)
    said = run("build")
    assert {name for name in built() if name.startswith("pkg/")} == STAYS
    if not own:
        assert "tests 0.0 MB" in said
        assert "without 9 files that other modules import" in said
    run("build", **layer | {"exclude": ["docs", "pkg/docs/"]})  # a pattern of one's own is taken at its word
    assert not any(name.startswith("pkg/docs/") for name in built())
