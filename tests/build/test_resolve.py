import re

import pytest
from package_index import IndexServer, make_sdist, make_wheel, pip_environment, sha256

from entrypoint.build.fetch import fetch
from entrypoint.build.lock import lock_text, read_lock, write_lock
from entrypoint.build.resolve import resolve
from entrypoint.edges.index import PackageIndex
from entrypoint.edges.pip_compile import PipCompile
from entrypoint.errors import LockError, Place
from entrypoint.manifest import Requirements
from entrypoint.runtimes import RUNTIMES, Architecture, Platform

ARM_313 = Platform(RUNTIMES["python3.13"], Architecture.ARM64)
X86_39 = Platform(RUNTIMES["python3.9"], Architecture.X86_64)


class Bench:
    """Real pip-tools and the real index client, over a shelf of tiny wheels that an HTTP server offers."""

    def __init__(self, folder, server):
        self.folder = folder
        self.shelf = server.folder
        self.server = server
        self.environment = pip_environment(folder, PIP_INDEX_URL=server.url, PIP_RETRIES="0")

    def wheel(self, name, version, **details):
        return make_wheel(self.shelf, name, version, **details)

    def requirements(self, text, name="requirements.in"):
        (self.folder / name).write_text(text, "utf-8")
        return Requirements(files=(self.folder / name,), place=Place("lambda-layers.yml", 5))

    def lock(self, requirements, platform=ARM_313, **options):
        if isinstance(requirements, str):
            requirements = self.requirements(requirements)
        with PackageIndex(environment=self.environment) as index:
            compiler = PipCompile(environment=self.environment, mask=index.mask)
            return resolve(requirements, platform, compile=compiler, index=index, root=self.folder, **options)

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


def test_markers_are_those_of_the_platform_not_of_this_machine(bench):
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


def test_versions_are_those_that_have_wheels_for_the_platform(bench):
    bench.wheel("thing", "1.0")
    bench.wheel("thing", "2.0", tag="cp39-cp39-manylinux_2_26_x86_64")
    bench.wheel("thing", "3.0", tag="cp313-cp313-manylinux_2_34_aarch64")
    bench.wheel("thing", "4.0", tag="cp313-cp313-manylinux_2_35_aarch64")
    bench.wheel("thing", "5.0", requires_python=">=3.14")
    make_sdist(bench.shelf, "thing", "6.0")
    assert bench.pins("thing\n", ARM_313) == ["thing==3.0"]
    assert bench.pins("thing\n", X86_39) == ["thing==2.0"]


def test_hashes_are_those_of_the_best_wheel_and_the_source(bench):
    best = bench.wheel("thing", "1.0", tag="cp313-cp313-manylinux_2_28_aarch64")
    bench.wheel("thing", "1.0", tag="cp313-cp313-manylinux_2_17_aarch64")
    bench.wheel("thing", "1.0", tag="cp313-cp313-macosx_11_0_arm64")
    bench.wheel("thing", "1.0")
    source = make_sdist(bench.shelf, "thing", "1.0")
    (pin,) = bench.lock("thing\n").pins
    assert pin.hashes == {f"sha256:{sha256(path)}" for path in (best, source)}
    assert bench.server.asked_for(".tar.gz") == 0  # never downloaded, let alone built


def test_an_index_that_lists_no_hashes_costs_a_download(bench):
    wheel = bench.wheel("thing", "1.0")
    bench.server.list_without_hashes()
    (pin,) = bench.lock("thing\n").pins
    assert pin.hashes == {f"sha256:{sha256(wheel)}"}


def test_a_lock_says_who_asked_for_what_and_where(bench):
    bench.wheel("app", "1.0", requires=("below>=1", "deep"))
    bench.wheel("below", "1.0", requires=("deep",))
    bench.wheel("deep", "1.0")
    (bench.folder / "bounds.txt").write_text("deep<2\n", "utf-8")
    lock = bench.lock("# the app\napp\nbelow\n-c bounds.txt\n")
    assert [(pin.name, pin.via, str(pin.place)) for pin in lock.pins] == [
        ("app", ("-r requirements.in",), "requirements.in:2"),
        ("below", ("-r requirements.in", "app"), "requirements.in:3"),
        ("deep", ("-c bounds.txt", "app", "below"), "bounds.txt:1"),
    ]


def test_lines_of_the_manifest(bench):
    bench.wheel("app", "1.0", requires=("extra-thing; extra == 'more'",), extras=("more",))
    bench.wheel("extra-thing", "1.0")
    place = Place("lambda-layers.yml", 5)
    lock = bench.lock(Requirements(lines=(("app[more]>=1", place),), place=place))
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


class TestAnEarlierLock:
    @pytest.fixture
    def earlier(self, bench):
        for name in ("one", "two"):
            bench.wheel(name, "1.0")
        path = bench.folder / "earlier.txt"
        write_lock(path, bench.lock("one\ntwo\n"), made_from=["requirements.in"])
        for name in ("one", "two"):
            bench.wheel(name, "2.0")
        return path

    def test_is_kept_while_it_satisfies(self, bench, earlier):
        assert bench.pins("one\ntwo>1\n", existing=earlier) == ["one==1.0", "two==2.0"]

    def test_is_left_behind_to_upgrade(self, bench, earlier):
        assert bench.pins("one\ntwo\n", existing=earlier, upgrade=True) == ["one==2.0", "two==2.0"]

    def test_is_left_behind_for_one_package(self, bench, earlier):
        assert bench.pins("one\ntwo\n", existing=earlier, upgrade_packages=("two",)) == [
            "one==1.0",
            "two==2.0",
        ]

    def test_is_worth_nothing_when_it_cannot_be_read(self, bench, earlier):
        earlier.write_text("<<<<<<< ours\none==1.0\n", "utf-8")
        assert bench.pins("one\n", existing=earlier) == ["one==2.0"]
        assert bench.pins("one\n", existing=earlier.with_name("no.txt")) == ["one==2.0"]


class TestNoAnswer:
    def test_a_requirement_without_a_fitting_wheel(self, bench):
        bench.wheel("thing", "1.0", tag="cp313-cp313-manylinux_2_39_aarch64")
        bench.wheel("thing", "1.0", tag="cp313-cp313-musllinux_1_2_aarch64")
        make_sdist(bench.shelf, "thing", "1.0")
        assert bench.problems("thing\n") == [
            (
                "requirements.in:1: thing 1.0 has no wheel that fits python3.13-arm64: "
                "thing-1.0-cp313-cp313-manylinux_2_39_aarch64.whl "
                "(needs glibc 2.39 while python3.13 has 2.34), "
                "thing-1.0-cp313-cp313-musllinux_1_2_aarch64.whl (is for musl (Alpine)); "
                "pin a version that has one, or leave this platform out; "
                "packages are not compiled from source yet"
            )
        ]

    def test_all_of_them_are_told(self, bench):
        make_sdist(bench.shelf, "source-only", "1.0")
        bench.wheel("fine", "1.0")
        bench.wheel("windows", "1.0", tag="py3-none-win32")
        found = bench.problems("fine\nsource-only\nwindows\nunknown\n")
        assert [
            re.match(r"[\w.]+:\d+: ([\w -]+?) (?:1\.0 )?has no|.*package (\w+)", text)[0] for text in found
        ] == [
            "requirements.in:2: source-only 1.0 has no",
            "requirements.in:3: windows 1.0 has no",
            "requirements.in:4: no index knows a package unknown",
        ]

    def test_what_a_dependency_needs_has_no_wheel(self, bench):
        bench.wheel("app", "1.0", requires=("below>=1",))
        bench.wheel("below", "1.0", tag="cp312-cp312-manylinux_2_28_aarch64")
        (problem,) = bench.problems("app\n")
        assert problem.startswith("lambda-layers.yml:5: below 1.0 has no wheel that fits python3.13-arm64: ")
        assert "(is for Python 3.12)" in problem

    def test_requirements_that_contradict(self, bench):
        bench.wheel("app", "1.0", requires=("below<2",))
        bench.wheel("below", "1.0")
        bench.wheel("below", "2.0")
        (problem,) = bench.problems("app\nbelow>=2\n")
        assert problem == (
            "the requirements contradict each other: The user requested below>=2, "
            "app 1.0 depends on below<2; loosen or correct the requirements that are named"
        )

    def test_a_source_build_that_is_asked_for(self, bench):
        (problem,) = bench.problems("--no-binary app\napp\n")
        assert problem.startswith("--no-binary app asks for a build from source")
