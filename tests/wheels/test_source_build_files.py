"""The decisions of compiling, with a builder that leaves what the test wants."""

import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from package_index import make_sdist, make_wheel, sha256

from entrypoint.errors import CompileError, Location
from entrypoint.index.options import IndexOptions
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform
from entrypoint.wheels.build_environment import BuildEnvironment, BuildResult
from entrypoint.wheels.build_plan import BuildPlan, BuildRequirements
from entrypoint.wheels.fetch import Sdist
from entrypoint.wheels.source_builds import Compiler

ARM_313 = Platform(RUNTIMES["python3.13"], Architecture.ARM64)
HERE = BuildEnvironment(platform=ARM_313, image="builder")


class Workshop:
    """Offers one builder, and is that builder too."""

    name = "builder"
    python = "python3.13"

    def __init__(self, folder):
        self.folder = folder
        self.identity_now = "sha256:1"
        self.can_tell = True
        self.closed = False
        self.version = "Python 3.13.1"
        self.jobs = []
        self.given = []
        self.working = self.most = 0
        self.leaves = lambda name, version: make_wheel(
            folder / "out", name, version, tag="cp313-cp313-linux_aarch64"
        )
        self.answer = None
        self.fails_with = None
        self._guard = threading.Lock()

    def identity_of(self, _):
        return self.identity_now if self.can_tell else None

    def open(self, _):
        if self.closed:
            raise CompileError.of("there is no Docker engine", "start one")
        return self

    def install(self, _, files, command, **options):
        return self.run(files, command, **options)

    @property
    def identity(self):
        return self.identity_now

    def run(self, files, _command, *, results, on_output):
        with self._guard:
            self.working += 1
            self.most = max(self.most, self.working)
        job = json.loads(files["job.json"])
        with self._guard:
            self.jobs.append(job.get("sdist") or job["system_packages"])
            self.given.append(job.get("wheels"))
        on_output("lambda-layers: building the wheel")
        on_output("noise")
        try:
            return self._result(job, results)
        finally:
            with self._guard:
                self.working -= 1

    def _result(self, job, results):
        if f"Python {'.'.join(map(str, job['python']))}" != self.version.rpartition(".")[0]:
            return BuildResult(code=81 if self.version else 127, output=f"{self.version}\n", files={})
        if self.fails_with:
            return BuildResult(code=1, output=self.fails_with, files={})
        if "sdist" not in job:
            return BuildResult(code=0, output="", files={})
        name, version = job["sdist"].removesuffix(".tar.gz").split("-")
        wheel = self.leaves(name, version)
        answer = (
            self.answer if self.answer is not None else json.dumps({"wheel": wheel.name if wheel else ""})
        )
        (results / "answer.json").write_text(answer)
        files = {"answer.json": results / "answer.json"}
        if wheel:
            files[wheel.name] = shutil.copy(wheel, results / wheel.name)
        return BuildResult(code=0, output="", files=files)


class Builders:
    def __init__(self, workshop):
        self.identity = workshop.identity_of
        self.open = workshop.open
        self.install = workshop.install


def compiler_of(workshop, folder, say=lambda _: None):
    requirements = BuildRequirements(index=None, engine=None, cache=folder / "cache")
    return Compiler(Builders(workshop), requirements, cache=folder / "cache", say=say, warn=print)


def plan_of(build_environment, wanted_by="web"):
    return BuildPlan(environment=build_environment, options=IndexOptions(), wanted_by=wanted_by)


@pytest.fixture
def workshop(tmp_path):
    return Workshop(tmp_path)


@pytest.fixture
def said():
    return []


@pytest.fixture
def build(workshop, tmp_path, said):
    def build(name="thing", build_environment=HERE, **options):
        compiler = compiler_of(workshop, tmp_path, said.append)
        return compiler.wheel(source(tmp_path, name), plan_of(build_environment), **options)

    return build


def source(folder, name, version="1.0"):
    pyproject = "[build-system]\nrequires = []\n"
    path = make_sdist(folder / "sdists", name, version, files={"pyproject.toml": pyproject})
    return Sdist(
        name=name,
        version=version,
        filename=path.name,
        sha256=sha256(path),
        path=path,
        location=Location("lock.txt", 7),
    )


def test_it_is_compiled_once_and_kept_with_its_record(build, workshop, said):
    first, again = build(), build()
    assert first == again
    assert first.filename == "thing-1.0-cp313-cp313-linux_aarch64.whl"
    assert first.sha256 == sha256(first.path)
    assert first.built_from["builder"] == {"name": "builder", "id": "sha256:1"}
    assert first.built_from["buildRequirements"] == []
    assert workshop.jobs == ["thing-1.0.tar.gz"]
    assert said == [
        "compiling thing 1.0 for web in builder",
        "thing 1.0: building the wheel",
        f"compiled thing-1.0-cp313-cp313-linux_aarch64.whl, {first.path.stat().st_size / 1e3:,.0f} kB",
    ]


def test_another_builder_compiles_anew_and_none_takes_what_was_compiled_last(build, workshop):
    build()
    workshop.identity_now = "sha256:2"
    second = build()
    assert second.built_from["builder"]["id"] == "sha256:2"
    assert len(workshop.jobs) == 2
    workshop.can_tell, workshop.closed = False, True
    assert build() == second
    workshop.can_tell, workshop.identity_now = True, "sha256:1"
    assert build().built_from["builder"]["id"] == "sha256:1"


@pytest.mark.parametrize(
    "other",
    [
        BuildEnvironment(platform=Platform(RUNTIMES["python3.14"], Architecture.ARM64), image="builder"),
        BuildEnvironment(platform=ARM_313, image="other"),
        BuildEnvironment(platform=ARM_313, image="builder", system_packages=("libyaml",)),
        BuildEnvironment(platform=ARM_313, image="builder", network=True),
    ],
)
def test_another_workplace_compiles_anew(build, workshop, other):
    build()
    workshop.version = f"Python {other.platform.runtime.python}"
    workshop.leaves = lambda name, version: make_wheel(workshop.folder / "out", name, version)
    build(build_environment=other)
    assert workshop.jobs.count("thing-1.0.tar.gz") == 2


def test_system_packages_are_installed_once(build, workshop, tmp_path):
    build_environment = BuildEnvironment(
        platform=ARM_313, image="builder", system_packages=("libyaml", "zlib")
    )
    compiler = compiler_of(workshop, tmp_path)
    for name in ("one", "two"):
        compiler.wheel(source(tmp_path, name), plan_of(build_environment))
    assert workshop.jobs == [["libyaml", "zlib"], "one-1.0.tar.gz", "two-1.0.tar.gz"]
    compiler = compiler_of(workshop, tmp_path)
    workshop.fails_with = "No package libyaml"
    with pytest.raises(CompileError, match=r"libyaml, zlib cannot be installed in builder:\n    No package"):
        compiler.wheel(source(tmp_path, "three"), plan_of(build_environment))


def test_a_kept_wheel_that_is_damaged_is_compiled_anew(build, workshop, tmp_path):
    wheel = build()
    data = wheel.path.read_bytes()
    wheel.path.write_bytes(data[:-1])
    assert build().path.read_bytes() == data
    for record in (tmp_path / "cache").glob("records/built/*/*/*"):
        record.write_text("{")
    build()
    assert len(workshop.jobs) == 3


@pytest.mark.parametrize(
    ("leaves", "message"),
    [
        (None, "the build of thing 1.0 produced no wheel"),
        (("other", "1.0"), "produced other-1.0-cp313-cp313-linux_aarch64.whl, another package"),
        (("thing", "1.1"), "produced thing-1.1-cp313-cp313-linux_aarch64.whl, another package"),
        (("thing", "1.0", "cp312-cp312-linux_aarch64"), "not compatible with python3.13-arm64"),
        (("thing", "1.0", "cp313-cp313-linux_x86_64"), "not compatible with python3.13-arm64"),
    ],
)
def test_what_comes_out_must_be_what_was_asked_for(build, workshop, leaves, message):
    def left(*_):
        name, version, tag = (*leaves, "cp313-cp313-linux_aarch64")[:3]
        return make_wheel(workshop.folder / "wrong", name, version, tag=tag)

    workshop.leaves = left if leaves else lambda *_: None
    with pytest.raises(CompileError) as caught:
        build()
    assert message in str(caught.value)
    assert str(caught.value).startswith("lock.txt:7: ")


def test_a_failed_build_shows_its_last_lines(build, workshop):
    workshop.fails_with = "\n".join(f"line {number}" for number in range(100))
    with pytest.raises(CompileError) as caught:
        build()
    (problem,) = caught.value.problems
    assert problem.message.startswith("thing 1.0 cannot be compiled for python3.13-arm64 in builder:\n")
    assert "line 79" not in problem.message
    assert problem.message.endswith("    line 98\n    line 99")
    assert problem.hint.startswith("add what is missing to system_packages")


def test_without_a_builder_it_is_told_why_it_takes_one(build, workshop):
    workshop.closed = True
    with pytest.raises(CompileError) as caught:
        build(why=lambda: "thing.whl (is for macOS)")
    assert str(caught.value) == (
        "lock.txt:7: thing 1.0 must be compiled for python3.13-arm64 (thing.whl (is for macOS)), "
        "but there is no Docker engine; start one"
    )


@pytest.mark.parametrize("version", ["Python 3.12.7", "Python 3.130.1", "", "bash: what?"])
def test_a_builder_with_another_interpreter_is_refused(build, workshop, version):
    workshop.version = version
    with pytest.raises(CompileError, match=r"cannot build for python3\.13: expected Python 3\.13"):
        build()


def test_two_at_once_and_the_same_only_once(workshop, tmp_path):
    compiler = compiler_of(workshop, tmp_path)
    names = ["a", "b", "c", "d", "a", "b"]
    sources = {name: source(tmp_path, name) for name in names}
    both = threading.Barrier(2)
    leaves = workshop.leaves

    def together(name, version):
        both.wait(timeout=30)
        return leaves(name, version)

    workshop.leaves = together
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda name: compiler.wheel(sources[name], plan_of(HERE)), names))
    assert sorted(workshop.jobs) == [f"{name}-1.0.tar.gz" for name in "abcd"]
    assert workshop.most == 2


@pytest.mark.parametrize(
    "answer",
    ["", "[" * 50_000, "[]", '{"wheel": 1}', '{"wheel": "../x.whl"}', json.dumps({"a": "x" * 100_000})],
)
def test_what_a_build_says_is_read_with_care(build, workshop, answer):
    workshop.answer = answer
    with pytest.raises(CompileError, match=r"the build of thing 1\.0 produced no wheel"):
        build()
