"""What runs in the image of a runtime: imports that are tried, and bytecode where no Python of it is here."""

import io
import os
import sys
import zipfile
from contextlib import closing
from dataclasses import replace

import command
import pytest
from layers import assembled, laid_out, shared_object, target, unzipped
from package_index import IndexServer, make_wheel, pip_environment

from entrypoint.layer.assemble import assemble
from entrypoint.layer.interpreters import ImageInterpreter
from entrypoint.layer.layout import compressed
from entrypoint.layer.runtime_image import runtime_image
from entrypoint.layer.verify.imports import check_imports
from entrypoint.wheels.containers import Containers

pytestmark = pytest.mark.engine

MANIFEST = """\
version: 1
layers:
  web: {{requirements: [app], include: [own], runtimes: [python3.13], {options}}}
"""


@pytest.fixture
def build(tmp_path, engine):
    folder = tmp_path / "project"
    (folder / "own").mkdir(parents=True)
    (folder / "own" / "__init__.py").write_text("import app\n")
    make_wheel(
        tmp_path / "packages",
        "app",
        "1.0",
        files={"app.py": "x = 1\n", "needs_windows.py": "import winreg\n"},
    )

    def build(options, **variables):
        (folder / "lambda-layers.yml").write_text(MANIFEST.format(options=options))
        with IndexServer(tmp_path / "packages") as index:
            environment = pip_environment(tmp_path / "home", PIP_INDEX_URL=index.url, PATH="/usr/bin:/bin")
            environment |= variables
            result = command.run(["build"], folder=folder, environment=environment)
        archive = folder / ".lambda-layers" / "build" / "web-python3.13-x86_64.zip"
        return result.returncode, result.stderr, unzipped(archive) if archive.exists() else {}

    return build


def test_imports_are_tried(build):
    code, said, content = build("verify: import, bytecode: false")
    assert code == 9
    assert (
        "needs_windows cannot be imported in public.ecr.aws/lambda/python:3.13-x86_64: ModuleNotFoundError"
        in said
    )
    assert said.count("error: ") == 1  # the others could be
    assert content == {}
    code, said, content = build("verify: import, bytecode: false, exclude: [needs_windows.py]")
    assert code == 0, said
    assert "python/own/__init__.py" in content


def test_imports_are_tried_by_default_where_the_image_is_here(build):
    message = "warning: lambda-layers.yml:3:3: web-python3.13-x86_64: needs_windows cannot be imported in"
    code, said, content = build("bytecode: false")
    assert code == 0
    assert message in said
    assert said.count("cannot be imported") == 1
    assert "python/needs_windows.py" in content
    nowhere = {"DOCKER_HOST": "tcp://127.0.0.1:1"}
    assert message in build("bytecode: false", **nowhere)[1]  # what an archive's check found is remembered
    assert "imported" not in build("bytecode: false, verify: static")[1]
    assert "imported" not in build("bytecode: false, exclude: [app.py]", **nowhere)[1]


class Elsewhere:
    """Containers of an image of our own, in place of the runtime's."""

    def __init__(self, containers, image):
        self._containers, self._image = containers, image
        self.close = containers.close

    def open(self, environment):
        return self._containers.open(replace(environment, image=self._image))

    def open_shared(self, environment):
        return self._containers.open_shared(replace(environment, image=self._image))


@pytest.fixture
def elsewhere(builder):
    with closing(Containers(environment=os.environ, say=lambda _: None)) as containers:
        yield Elsewhere(containers, builder.tags[0])


def test_a_module_that_is_imported_is_isolated_like_a_build(tmp_path, elsewhere, containers):
    """It fails with what it sees, and tries to pass for a module that can be imported."""
    code = """\
import os, pathlib, socket
answer = pathlib.Path("/lambda-layers/build/out/failures.json")
answer.parent.mkdir()
answer.write_text("{}")
route = os.strerror(socket.socket().connect_ex(("192.0.2.1", 80)))
raise ImportError(f"{os.getuid()}, {route}, {len(os.environ)} variables")
"""
    archive = assembled(tmp_path, make_wheel(tmp_path, "app", "1.0", files={"app.py": code}))
    (problem,) = check_imports(archive, target(), elsewhere)
    assert "app cannot be imported in public.ecr.aws/lambda/python:3.13-x86_64: " in problem.message
    assert "65534, Network is unreachable, " in problem.message
    assert containers() == []


def test_libraries_of_the_layer_are_found_as_in_lambda(tmp_path, elsewhere):
    helper = shared_object(tmp_path, flags=("-Wl,-soname,libhelp.so.1",))
    (tmp_path / "libhelp.so.1").write_bytes(helper)
    source = """\
extern int answer(void);
extern void *PyModule_Create2(void *, int);
static long module[64] = {1};
void *PyInit_app(void) { ((char **)module)[5] = "app"; return answer() == 42 ? PyModule_Create2(module, 1013) : 0; }
"""
    module = shared_object(tmp_path, source=source, flags=("-L.", "-l:libhelp.so.1"))
    part = laid_out(make_wheel(tmp_path, "app", "1.0", files={"app.so": module}), tmp_path / "cache")
    entry = compressed("lib/libhelp.so.1", helper, executable=False)
    for entries, failures in (((), 1), ((entry,), 0)):
        parts = [part, replace(part, name="libraries", entries=entries)]
        found = check_imports(assemble(parts, tmp_path / "layer.zip"), target(), elsewhere)
        assert len(found) == failures, found


def test_the_container_that_makes_bytecode_is_isolated_too(tmp_path, elsewhere, containers):
    with zipfile.ZipFile(tmp_path / "modules.zip", "w") as archive:
        archive.writestr("python/app.py", "x = 1\n")
    shared = elsewhere.open_shared(runtime_image(target().platform))
    interpreter = ImageInterpreter(version=(3, 13), start=lambda: shared)
    bytecode = interpreter.compile(tmp_path / "modules.zip")
    assert zipfile.ZipFile(io.BytesIO(bytecode)).namelist() == ["python/__pycache__/app.cpython-313.pyc"]
    (container,) = containers()
    container.reload()
    assert container.attrs["HostConfig"]["NetworkMode"] == "none"
    assert container.attrs["HostConfig"]["CapDrop"] == ["ALL"]
    elsewhere.close()


def test_what_is_ignored_is_not_tried(build):
    code, said, _ = build("verify: import, bytecode: false, ignore: {import: not on Linux}")
    assert code == 0
    assert "importing" not in said


def test_without_an_engine_the_imports_are_left_to_ci(build):
    code, said, _ = build("verify: import, bytecode: false", DOCKER_HOST="tcp://127.0.0.1:1")
    assert code == 0
    assert "warning: lambda-layers.yml:3:3: web-python3.13-x86_64: the imports could not be checked" in said


def test_bytecode_is_made_in_the_image(build):
    code, said, content = build("bytecode: true")
    assert code == 0, said
    assert {name for name in content if name.endswith(".pyc")} == {
        "python/__pycache__/app.cpython-313.pyc",
        "python/__pycache__/needs_windows.cpython-313.pyc",
        "python/own/__pycache__/__init__.cpython-313.pyc",
    }
    assert "compiled 2 packages to bytecode, " in said


@pytest.mark.skipif(
    sys.version_info[:2] == (3, 13), reason="the Python that runs this makes the bytecode itself"
)
def test_to_insist_on_bytecode_without_any_python_is_an_error(build):
    code, said, content = build("bytecode: true", DOCKER_HOST="tcp://127.0.0.1:1")
    assert code == 14
    assert "no Docker engine is available" in said
    assert content == {}
    code, said, content = build("bytecode: auto", DOCKER_HOST="tcp://127.0.0.1:1")
    assert code == 0
    assert "no bytecode for python3.13: its Python is not available" in said
