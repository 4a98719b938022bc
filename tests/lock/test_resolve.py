import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from package_index import IndexServer, make_sdist, make_wheel, pip_environment, sha256

from entrypoint.errors import CompileError, Location, LockError
from entrypoint.index.package_index import PackageIndex
from entrypoint.lock.lock_file import lock_text, read_lock, write_lock
from entrypoint.lock.pip_compile import PipCompile
from entrypoint.lock.resolve import resolve
from entrypoint.lock.uv import UvCompile
from entrypoint.manifest.model import Requirements
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform
from entrypoint.wheels.fetch import Wheel, fetch
from entrypoint.wheels.metadata import Metadata

ARM_313 = Platform(RUNTIMES["python3.13"], Architecture.ARM64)
X86_39 = Platform(RUNTIMES["python3.9"], Architecture.X86_64)


class Bench:
    """Real pip-tools and the real index client, with tiny wheels on an HTTP server."""

    def __init__(self, folder, server):
        self.folder = folder
        self.shelf = server.folder
        self.server = server
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self.environment = pip_environment(folder, PIP_INDEX_URL=server.url, PIP_RETRIES="0", PATH=path)
        self.engine = PipCompile
        self.compiled = []
        self.built_requires = {}

    def sdist(self, name, version, **details):
        return make_sdist(self.shelf, name, version, **details)

    def wheel(self, name, version, **details):
        return make_wheel(self.shelf, name, version, **details)

    def requirements(self, text, name="requirements.in"):
        (self.folder / name).write_text(text, "utf-8")
        return Requirements(files=(self.folder / name,), location=Location("lambda-layers.yml", 5))

    def lock(self, requirements, platform=ARM_313, **options):
        if isinstance(requirements, str):
            requirements = self.requirements(requirements)
        with PackageIndex(environment=self.environment) as index:
            describe = Metadata(
                index=index, platform=platform, cache=self.folder / "cache", compile=self.compile
            )
            return resolve(
                requirements,
                platform,
                engine=self.engine(environment=self.environment, mask=index.mask),
                index=index,
                describe=describe,
                root=self.folder,
                **options,
            )

    def compile(self, sdist):
        """Acts as a builder; the test decides what the wheel requires."""
        self.compiled.append(str(sdist))
        if sdist.name not in self.built_requires:
            raise CompileError.of(f"{sdist} cannot be compiled here", "pin a version that has a wheel")
        path = make_wheel(
            self.folder / "built", sdist.name, sdist.version, requires=self.built_requires[sdist.name]
        )
        return Wheel(
            name=sdist.name, version=sdist.version, filename=path.name, sha256=sha256(path), path=path
        )

    def pins(self, requirements, platform=ARM_313, **options):
        return [str(pin) for pin in self.lock(requirements, platform, **options).pins]

    def problems(self, requirements, platform=ARM_313, **options):
        with pytest.raises(LockError) as caught:
            self.lock(requirements, platform, **options)
        return [str(problem) for problem in caught.value.problems]


@pytest.fixture
def bench(tmp_path):
    (tmp_path / "shelf").mkdir()
    with IndexServer(tmp_path / "shelf") as server:
        yield Bench(tmp_path, server)


def test_markers_are_evaluated_for_the_platform_not_this_machine(bench):
    conditions = {
        "for-arm": "platform_machine == 'aarch64'",
        "for-x86": "platform_machine == 'x86_64'",
        "for-old": "python_version < '3.10'",
        "for-new": "python_full_version >= '3.13'",
        "for-linux": "sys_platform == 'linux'",
        "for-windows": "os_name == 'nt'",
    }
    for name in (*conditions, "direct-arm"):
        bench.wheel(name, "1.0")
    bench.wheel("app", "1.0", requires=tuple(f"{name}; {marker}" for name, marker in conditions.items()))
    asked = "app\ndirect-arm; platform_machine == 'aarch64'\n"
    assert bench.pins(asked, ARM_313) == [
        "app==1.0",
        "direct-arm==1.0",
        "for-arm==1.0",
        "for-linux==1.0",
        "for-new==1.0",
    ]
    assert bench.pins(asked, X86_39) == ["app==1.0", "for-linux==1.0", "for-old==1.0", "for-x86==1.0"]


@pytest.mark.parametrize("engine", [PipCompile, UvCompile])
def test_versions_are_those_that_have_wheels_for_the_platform(bench, engine):
    bench.engine = engine
    bench.wheel("thing", "1.0")
    bench.wheel("thing", "2.0", tag="cp39-cp39-manylinux_2_26_x86_64")
    bench.wheel("thing", "3.0", tag="cp313-cp313-manylinux_2_34_aarch64")
    bench.wheel("thing", "4.0", tag="cp313-cp313-manylinux_2_35_aarch64")
    bench.wheel("thing", "5.0", requires_python=">=3.14")
    make_sdist(bench.shelf, "thing", "6.0")
    assert bench.pins("thing\n", ARM_313) == ["thing==3.0"]
    assert bench.pins("thing\n", X86_39) == ["thing==2.0"]


def test_uv_skips_versions_that_require_a_newer_glibc(bench):
    """uv supports 2.17 and 2.28, but not the 2.26 in between."""
    bench.engine = UvCompile
    for version, glibc in (("1.0", "2_17"), ("2.0", "2_24"), ("3.0", "2_27"), ("4.0", "2_28")):
        for name in ("thing", "other"):
            bench.wheel(name, version, tag=f"cp39-cp39-manylinux_{glibc}_x86_64")
    bench.wheel("other", "5.0", tag="cp39-cp39-manylinux_2_28_x86_64", requires=("needless",))
    assert bench.pins("thing\nother\n", X86_39) == ["other==2.0", "thing==2.0"]
    (problem,) = bench.problems("thing>2\n", X86_39)
    assert problem.startswith("requirements.in:1: thing 4.0 has no compatible wheel for python3.9-x86_64")


def test_hashes_are_those_of_the_best_wheel_and_the_source(bench):
    best = bench.wheel("thing", "1.0", tag="cp313-cp313-manylinux_2_28_aarch64")
    bench.wheel("thing", "1.0", tag="cp313-cp313-manylinux_2_17_aarch64")
    bench.wheel("thing", "1.0", tag="cp313-cp313-macosx_11_0_arm64")
    bench.wheel("thing", "1.0")
    source = make_sdist(bench.shelf, "thing", "1.0")
    (pin,) = bench.lock("thing\n").pins
    assert pin.hashes == {f"sha256:{sha256(path)}" for path in (best, source)}
    assert bench.server.asked_for(".tar.gz") == 0  # neither downloaded nor built


def test_an_index_without_hashes_requires_a_download(bench):
    wheel = bench.wheel("thing", "1.0")
    bench.server.list_without_hashes()
    (pin,) = bench.lock("thing\n").pins
    assert pin.hashes == {f"sha256:{sha256(wheel)}"}


def test_a_lock_records_what_requires_each_package_and_where(bench):
    bench.wheel("app", "1.0", requires=("below>=1", "deep"))
    bench.wheel("below", "1.0", requires=("deep",))
    bench.wheel("deep", "1.0")
    (bench.folder / "bounds.txt").write_text("deep<2\n", "utf-8")
    lock = bench.lock("# the app\napp\nbelow\n-c bounds.txt\n")
    assert [(pin.name, pin.via, str(pin.location)) for pin in lock.pins] == [
        ("app", ("-r requirements.in",), "requirements.in:2"),
        ("below", ("-r requirements.in", "app"), "requirements.in:3"),
        ("deep", ("-c bounds.txt", "app", "below"), "bounds.txt:1"),
    ]


def test_lines_of_the_manifest(bench):
    bench.wheel("app", "1.0", requires=("extra-thing; extra == 'more'",), extras=("more",))
    bench.wheel("extra-thing", "1.0")
    location = Location("lambda-layers.yml", 5)
    lock = bench.lock(Requirements(lines=(("app[more]>=1", location),), location=location))
    assert [(str(pin), pin.via) for pin in lock.pins] == [
        ("app==1.0", ("lambda-layers.yml",)),
        ("extra-thing==1.0", ("app",)),
    ]


def test_a_lock_is_the_same_bytes_again_and_can_be_fetched(bench):
    wheel = bench.wheel("app", "1.0")
    asked = bench.requirements("app\n")
    texts = {lock_text(bench.lock(asked), made_from=["requirements.in"]) for _ in range(2)}
    assert len(texts) == 1
    path = bench.folder / "requirements-python3.13-arm64.txt"
    write_lock(path, bench.lock(asked), made_from=["requirements.in"])
    lock = read_lock(path, ARM_313, requirements=asked, root=bench.folder)
    with PackageIndex(lock.options, environment=bench.environment) as index:
        (fetched,) = fetch(lock, ARM_313, index=index, cache=bench.folder / "cache")
    assert fetched.sha256 == sha256(wheel)


class TestAnExistingLock:
    @pytest.fixture
    def existing(self, bench):
        for name in ("one", "two"):
            bench.wheel(name, "1.0")
        path = bench.folder / "existing.txt"
        write_lock(path, bench.lock("one\ntwo\n"), made_from=["requirements.in"])
        for name in ("one", "two"):
            bench.wheel(name, "2.0")
        return path

    def test_is_kept_while_it_satisfies(self, bench, existing):
        assert bench.pins("one\ntwo>1\n", existing=existing) == ["one==1.0", "two==2.0"]

    def test_is_ignored_on_upgrade(self, bench, existing):
        assert bench.pins("one\ntwo\n", existing=existing, upgrade=True) == ["one==2.0", "two==2.0"]

    def test_is_ignored_for_one_package(self, bench, existing):
        assert bench.pins("one\ntwo\n", existing=existing, upgrade_packages=("two",)) == [
            "one==1.0",
            "two==2.0",
        ]

    def test_is_ignored_if_it_cannot_be_read(self, bench, existing):
        existing.write_text("<<<<<<< ours\none==1.0\n", "utf-8")
        assert bench.pins("one\n", existing=existing) == ["one==2.0"]
        assert bench.pins("one\n", existing=existing.with_name("no.txt")) == ["one==2.0"]


class TestNoResolution:
    def test_a_requirement_without_a_compatible_wheel(self, bench):
        bench.wheel("thing", "1.0", tag="cp313-cp313-manylinux_2_39_aarch64")
        bench.wheel("thing", "1.0", tag="cp313-cp313-musllinux_1_2_aarch64")
        assert bench.problems("thing\n") == [
            (
                "requirements.in:1: thing 1.0 has no compatible wheel for python3.13-arm64: "
                "thing-1.0-cp313-cp313-manylinux_2_39_aarch64.whl "
                "(requires glibc 2.39, python3.13 has 2.34), "
                "thing-1.0-cp313-cp313-musllinux_1_2_aarch64.whl (is for musl (Alpine)); "
                "pin a version that has one, or remove this platform; "
                "it has no source distribution to compile"
            )
        ]

    def test_all_of_them_are_reported(self, bench):
        bench.wheel("fine", "1.0")
        bench.wheel("windows", "1.0", tag="py3-none-win32")
        windows, unknown = bench.problems("fine\nwindows\nunknown\n")
        assert windows.startswith(
            "requirements.in:2: windows 1.0 has no compatible wheel for python3.13-arm64"
        )
        assert unknown.startswith("requirements.in:3: package unknown not found in any index")

    def test_a_dependency_without_a_compatible_wheel(self, bench):
        bench.wheel("app", "1.0", requires=("below>=1",))
        bench.wheel("below", "1.0", tag="cp312-cp312-manylinux_2_28_aarch64")
        (problem,) = bench.problems("app\n")
        assert problem.startswith(
            "lambda-layers.yml:5: below 1.0 has no compatible wheel for python3.13-arm64: "
        )
        assert "(is for Python 3.12)" in problem

    def test_conflicting_requirements(self, bench):
        bench.wheel("app", "1.0", requires=("below<2",))
        bench.wheel("below", "1.0")
        bench.wheel("below", "2.0")
        (problem,) = bench.problems("app\nbelow>=2\n")
        assert problem == (
            "conflicting requirements: The user requested below>=2, "
            "app 1.0 depends on below<2; loosen or correct these requirements"
        )

    def test_a_required_source_that_is_missing(self, bench):
        bench.wheel("app", "1.0")
        (problem,) = bench.problems("app\n", from_source=frozenset({"app"}))
        assert problem == (
            "requirements.in:1: app==1.0 must be compiled, but the index has no source distribution of it for "
            "python3.13-arm64; pin a version that has one, or allow wheels for it"
        )

    def test_a_source_that_is_not_allowed(self, bench):
        bench.sdist("app", "1.0")
        (problem,) = bench.problems("--only-binary :all:\napp\n")
        assert problem.startswith("requirements.in:2: app 1.0 has no wheels, only a source distribution; ")

    def test_a_source_without_static_metadata_that_cannot_be_compiled(self, bench):
        bench.sdist("app", "1.0")
        bench.wheel("windows", "1.0", tag="py3-none-win32")
        first, second = bench.problems("app\nwindows\n")
        assert first.startswith("requirements.in:2: windows 1.0 has no compatible wheel for")
        assert second == "app 1.0 cannot be compiled here; pin a version that has a wheel"


@pytest.mark.parametrize("engine", [PipCompile, UvCompile])
def test_no_variable_gets_into_a_requirement(bench, engine):
    """pip and uv replace them everywhere, and an error message would show the value."""
    bench.engine = engine
    bench.environment["MY_SECRET"] = "s3cret"
    (problem,) = bench.problems("app\nthing; extra == '${MY_SECRET}'\n")
    assert problem.startswith("requirements.in:2: a requirement cannot have ${...}; write the text itself")


class TestSources:
    def locked(self, bench, text, **options):
        return {str(pin): (pin.from_source, pin.hashes) for pin in bench.lock(text, **options).pins}

    def test_the_lock_allows_only_the_sdist_of_a_required_source(self, bench):
        for version in ("1.0", "2.0"):
            bench.wheel("app", version, requires=("below",))
        bench.sdist("app", "1.0")
        source = bench.sdist("app", "2.0")
        below = bench.wheel("below", "1.0")
        expected = {
            "app==2.0": (True, {f"sha256:{sha256(source)}"}),
            "below==1.0": (False, {f"sha256:{sha256(below)}"}),
        }
        assert self.locked(bench, "app\n", from_source=frozenset({"app"})) == expected
        assert self.locked(bench, "--no-binary app\napp\n") == expected
        assert bench.compiled == []

    def test_requirements_come_from_wheels_for_other_platforms(self, bench):
        bench.wheel("app", "1.0", tag="cp313-cp313-win_amd64", requires=("below",))
        source = bench.sdist("app", "1.0")
        bench.wheel("below", "1.0")
        assert self.locked(bench, "app\n")["app==1.0"] == (True, {f"sha256:{sha256(source)}"})
        assert bench.server.asked_for(".tar.gz") == 0
        assert bench.server.asked_for("app-1.0-cp313-cp313-win_amd64.whl.metadata") == 1

    def test_requirements_come_from_the_static_metadata_of_the_sdist(self, bench):
        bench.sdist("app", "1.0", metadata="2.2", requires=("below; python_version >= '3.13'",))
        bench.wheel("below", "1.0")
        assert sorted(self.locked(bench, "app\n")) == ["app==1.0", "below==1.0"]
        assert bench.compiled == []

    @pytest.mark.parametrize(
        "details",
        [{"metadata": "2.1"}, {"metadata": "2.2", "dynamic": ("Requires-Dist",)}, {"metadata": "?"}],
    )
    def test_an_sdist_without_static_metadata_is_compiled(self, bench, details):
        bench.sdist("app", "1.0", requires=("wrong",), **details)
        bench.wheel("below", "1.0")
        bench.built_requires["app"] = ("below",)
        assert sorted(self.locked(bench, "app\n")) == ["app==1.0", "below==1.0"]
        assert bench.compiled == ["app 1.0"]

    def test_older_versions_are_tried_if_the_newest_conflicts(self, bench):
        bench.sdist("app", "1.0", metadata="2.2", requires=("below",))
        bench.sdist("app", "2.0", metadata="2.2", requires=("below>=2",))
        bench.wheel("below", "1.0")
        assert sorted(self.locked(bench, "app\nbelow<2\n")) == ["app==1.0", "below==1.0"]

    def test_the_lock_records_what_is_compiled_and_is_out_of_sync_when_that_changes(self, bench):
        bench.wheel("app", "1.0")
        bench.sdist("app", "1.0")
        asked = bench.requirements("app\n")
        path = bench.folder / "lock.txt"
        sources = frozenset({"app"})
        lock = bench.lock(asked, from_source=sources)
        write_lock(path, lock, made_from=["requirements.in"])
        assert "\n# from source: app\n" in path.read_text("utf-8")
        with pytest.raises(LockError, match=r"does not pin the build requirements of app==1\.0"):
            read_lock(path, ARM_313, requirements=asked, from_source=sources, root=bench.folder)
        write_lock(path, replace(lock, builds={"app==1.0": ()}), made_from=["requirements.in"])
        (pin,) = read_lock(path, ARM_313, requirements=asked, from_source=sources, root=bench.folder).pins
        assert pin.from_source
        with pytest.raises(LockError, match="out of sync"):
            read_lock(path, ARM_313, requirements=asked, root=bench.folder)
