"""Libraries of system packages: from the command line down to a real engine, apt-get and dnf."""

import json
import os
import shutil
from pathlib import Path

import pytest
import shared
from compiling import BUILDER, open_builder
from layers import PYTHON313, shared_object, unzipped
from package_index import make_wheel

from entrypoint.errors import CompileError
from entrypoint.lock.header import DIGEST, lock_digest
from entrypoint.lock.libraries import LibraryPins, SystemPackage
from entrypoint.wheels.build_environment import BuildEnvironment, BuildResult
from entrypoint.wheels.collect_libraries import libraries_in_cache, linked_libraries
from entrypoint.wheels.collected_libraries import read_index
from entrypoint.wheels.libraries import SystemLibraries

NOWHERE = {"DOCKER_HOST": "unix:///nowhere.sock"}
RPM = Path(__file__).parents[1] / "data" / "rpm"
DNF = "lambda-layers-tests:dnf"
WITH_DNF = f"""\
FROM {BUILDER}
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \\
    createrepo-c dnf file gnupg rpm && rm -rf /var/lib/apt/lists/*
COPY own.spec repository.sh /repository/
RUN sh -e /repository/repository.sh
"""


def linked(folder, soname):
    """An extension module that is linked to a library, which is not there."""
    folder.mkdir(exist_ok=True)
    helper = shared_object(folder, flags=(f"-Wl,-soname,{soname}",))
    (folder / soname).write_bytes(helper)
    source = "int answer(void); int PyInit_tiny(void) { return answer(); }"
    return shared_object(folder, source=source, flags=("-L.", f"-l:{soname}"))


def add_wheel(project, soname):
    files = {"tiny.cpython-313-x86_64-linux-gnu.so": linked(project.folder / "code", soname)}
    make_wheel(project.index.folder, "tiny", "1.0", tag="cp313-cp313-linux_x86_64", files=files)


def libraries_in(path):
    return sorted(name for name in unzipped(path) if not name.startswith("python/"))


@pytest.mark.engine
class TestWithAptGet:
    @pytest.fixture
    def project(self, project):
        project.environment.update({name: value for name, value in os.environ.items() if "proxy" in name})
        return project

    def test_locked_collected_and_cached(self, project, builder):
        add_wheel(project, "libodbc.so.2")
        layer = {"builder_image": builder.tags[0], "bytecode": False}
        project.declare("tiny", **layer)
        project.run("lock")
        said = project.run("build", "--locked", expect=9)
        assert "is linked to libodbc.so.2, which is neither in the layer nor in python3.13" in said

        project.declare("tiny", libraries=["libodbc2"], **layer)
        assert "out of sync" in project.run("check", expect=6)
        assert f"installing libodbc2 in {builder.tags[0]}" in project.run("lock")
        assert f"# libraries of {builder.tags[0]} for libodbc2:\n#   libltdl7 2." in project.lock
        assert "\n#   libodbc2 2." in project.lock
        said = project.run("build", "--locked")
        assert "1 package, 2 system packages, " in said
        assert "installing" not in said
        assert libraries_in(project.archive) == [
            "lib/libltdl.so.7",
            "lib/libodbc.so.2",
            "share/licenses/libltdl7/copyright",
            "share/licenses/libodbc2/copyright",
        ]
        packages = json.loads(project.archive.with_suffix(".json").read_bytes())["packages"]
        assert [each["name"] for each in packages] == ["tiny", "libodbc2", "libltdl7"]
        assert packages[1]["systemPackage"] == f"libodbc2 {packages[1]['version']}"
        bill = project.archive.with_suffix(".cdx.json").read_text()
        assert f'"pkg:deb/debian/libodbc2@{packages[1]["version"].replace("+", "%2B")}?arch=amd64"' in bill

        first = project.archive.read_bytes()
        project.archive.unlink()
        project.run("lock", "--check", **NOWHERE)
        project.run("build", "--locked", **NOWHERE)
        assert project.archive.read_bytes() == first

        for kept in (project.cache / "archives").rglob("libraries.zip"):
            kept.write_bytes(b"cut off")
        assert "no Docker engine is available" in project.run("build", "--locked", expect=14, **NOWHERE)
        assert "installing libodbc2" in project.run("build", "--locked")
        assert project.archive.read_bytes() == first

    def test_what_cannot_be_taken(self, project, builder):
        image = {"builder_image": builder.tags[0], "bytecode": False}
        make_wheel(project.index.folder, "tiny", "1.0")
        project.declare("tiny", libraries=["tree"], **image)
        said = project.run("lock", expect=14)
        assert "lambda-layers.yml:1:" in said
        assert "tree has no shared library in the folders of the loader" in said
        project.declare("tiny", libraries=["nothing-of-this-name"], **image)
        said = project.run("lock", expect=14)
        assert f"nothing-of-this-name cannot be installed in {builder.tags[0]}:" in said
        assert "Unable to locate package nothing-of-this-name" in said
        assert "use the names of that image's packages in 'libraries'" in said
        assert not (project.folder / "web-python3.13-x86_64.txt").exists()


@pytest.fixture(scope="module")
def dnf_image(engine, tmp_path_factory):
    """Make an image with dnf, once for all workers; it is kept for the next run."""
    open_builder(engine, tmp_path_factory)

    def make(folder):
        shutil.copytree(RPM, folder, dirs_exist_ok=True)
        (folder / "Dockerfile").write_text(WITH_DNF)
        engine.images.build(path=str(folder), tag=DNF, rm=True, forcerm=True)

    shared.folder(tmp_path_factory, "dnf", make)
    return DNF


@pytest.fixture
def dnf_project(isolated, dnf_image):
    isolated.declare("tiny", builder_image=dnf_image)
    add_wheel(isolated, "libown.so.2")
    return isolated


@pytest.mark.engine
class TestWithDnf:
    """dnf and RPM are those of Debian, with a small repository whose packages are signed, but for one."""

    def test_signed_packages_at_the_versions_of_the_lock(self, dnf_project):
        project = dnf_project
        project.declare("tiny", libraries=["own-libs", "own-base"], builder_image=DNF, bytecode=False)
        project.run("lock")  # the image has older versions
        section = f"# libraries of {DNF} for own-base, own-libs:\n#   own-base 1:1.2-1\n#   own-libs 1.2-1\n"
        assert section in project.lock
        project.run("build", "--locked")
        newest = unzipped(project.archive)
        assert libraries_in(project.archive) == [
            "lib/libown.so.2",
            "lib/libownbase.so.1",
            "share/licenses/own-libs/LICENSE",
        ]
        assert (
            '"pkg:rpm/debian/own-base@1.2-1?arch=x86_64&epoch=1"'
            in project.archive.with_suffix(".cdx.json").read_text()
        )

        self.rewrite(project, "1.2-1", "1.1-1")
        assert f"in {DNF}" in project.run("build", "--locked")
        older = unzipped(project.archive)
        assert older.keys() == newest.keys()
        assert older["lib/libownbase.so.1"] != newest["lib/libownbase.so.1"]

        self.rewrite(project, "1.1-1", "1.0-1")
        said = project.run("build", "--locked", expect=14)
        assert "No match for argument: own-libs-1.0-1" in said
        assert "if only other versions are available now, run: lambda-layers lock --upgrade" in said
        project.run("lock")
        assert "own-libs 1.0-1" in project.lock
        said = project.run("lock", "--upgrade-package", "own-libs")
        assert section in project.lock
        assert "no lock has the package" not in said

    def test_packages_without_a_signature_are_refused(self, dnf_project):
        project = dnf_project
        project.declare("tiny", libraries=["own-unsigned"], builder_image=DNF, bytecode=False)
        said = project.run("lock", expect=14)
        assert "own-unsigned-1.2-1.x86_64.rpm is not signed" in said

    def rewrite(self, project, old, new):
        """Pin other versions, as if the lock had been made when they were the newest."""
        path = project.folder / "web-python3.13-x86_64.txt"
        text = project.lock.replace(old, new)
        path.write_text(DIGEST.sub(f"# digest: {lock_digest(text)}\n", text))


class TestWithoutAnEngine:
    def test_it_is_said_what_to_do(self, isolated):
        make_wheel(isolated.index.folder, "tiny", "1.0")
        isolated.declare("tiny", libraries=["expat", "unixODBC"])
        said = isolated.run("lock", expect=14, **NOWHERE)
        image = "public.ecr.aws/sam/build-python3.13:latest-x86_64"
        assert (
            f"the libraries of expat, unixODBC come from {image}, but no Docker engine is available" in said
        )
        assert "start Docker, or set DOCKER_HOST to a Docker engine" in said
        assert "wheel" not in said

    def test_a_lock_of_another_tool(self, isolated):
        make_wheel(isolated.index.folder, "tiny", "1.0")
        isolated.declare("tiny")
        isolated.run("lock")
        (isolated.folder / "web-python3.13-x86_64.txt").replace(isolated.folder / "own.txt")
        isolated.declare("tiny", libraries=["expat"], lock="own.txt")
        isolated.run("check")
        said = isolated.run("build", expect=14, **NOWHERE)
        assert "no lock pins the libraries of web-python3.13-x86_64" in said


class Image:
    """Offers one builder, and is that builder too; its package manager has one package."""

    name = "builder"
    python = "python3.13"

    def __init__(self):
        self.version = "2.6-1"
        self.identity_now = "sha256:1"
        self.installed = []
        self.fails_with = None
        self.hint = "pin a version that has a wheel"

    def identity(self, environment):
        assert environment.system_packages  # or the builder could be this machine
        return self.identity_now

    def open(self, _):
        if self.identity_now is None:
            hint = "start Docker, or set DOCKER_HOST, or pin a version that has a wheel"
            raise CompileError.of("no Docker engine is available", hint)
        return self

    def install(self, _environment, files, _command, **_options):
        self.installed.append(json.loads(files["job.json"])["system_packages"])
        return BuildResult(code=0, output="", files={})

    def run(self, _files, _command, *, results, **_options):
        if self.fails_with:
            raise CompileError.of(self.fails_with, self.hint)
        (results / "0").write_bytes(self.version.encode())
        package = {"name": "expat", "version": self.version, "license": "MIT", "names": ["expat"]}
        package |= {"libraries": {"libexpat.so.1": "0"}, "licenses": []}
        index = {"system": "rpm/amzn", "packages": [package]}
        (results / "index.json").write_text(json.dumps(index))
        return BuildResult(code=0, output="", files={path.name: path for path in results.iterdir()})


class TestTheCache:
    HERE = BuildEnvironment(platform=PYTHON313, image="builder")
    OLD = LibraryPins("builder", ("expat",), (SystemPackage("expat", "2.5-1"),))

    @pytest.fixture
    def image(self):
        return Image()

    @pytest.fixture
    def opened(self, image, tmp_path):
        return lambda: SystemLibraries(image, cache=tmp_path / "cache", say=lambda _: None)

    def content(self, libraries):
        return unzipped(libraries.archive)["expat/libexpat.so.1"].decode()

    def test_the_newest_are_installed_once_in_a_run(self, image, opened):
        libraries = opened()
        pins = libraries.newest(self.HERE, ("expat",)).pins
        assert libraries.newest(self.HERE, ("expat",)).pins == pins
        assert pins == LibraryPins("builder", ("expat",), (SystemPackage("expat", "2.6-1"),))
        assert image.installed == [["expat"]]
        image.version = "2.7-1"
        assert dict(opened().newest(self.HERE, ("expat",)).pins.packages) == {"expat": "2.7-1"}

    def test_what_a_lock_pins_is_taken_from_the_cache(self, image, opened):
        pins = opened().newest(self.HERE, ("expat",)).pins
        image.version = "2.7-1"
        assert self.content(opened().pinned(self.HERE, pins)) == "2.6-1"
        image.identity_now = None
        assert self.content(opened().pinned(self.HERE, pins)) == "2.6-1"
        assert len(image.installed) == 1

    def test_another_image_of_the_same_name_is_asked_for_the_same_versions(self, image, opened):
        pins = opened().newest(self.HERE, ("expat",)).pins
        image.identity_now = "sha256:2"
        opened().pinned(self.HERE, pins)
        opened().pinned(self.HERE, pins)
        assert image.installed == [["expat"], ["expat=2.6-1"]]

    def test_other_versions_than_those_of_the_lock_are_refused_and_not_kept(self, image, opened):
        for _ in range(2):
            with pytest.raises(CompileError) as caught:
                opened().pinned(self.HERE, self.OLD)
            (problem,) = caught.value.problems
            assert problem.message == "builder has 2.6-1 of expat; the lock has 2.5-1"
            assert problem.hint == "run: lambda-layers lock --upgrade"
        image.version = "2.5-1"
        assert self.content(opened().pinned(self.HERE, self.OLD)) == "2.5-1"

    def test_hints_do_not_suggest_another_wheel(self, image, opened):
        image.fails_with = "the command timed out after 60 minutes"
        with pytest.raises(CompileError) as caught:
            opened().newest(self.HERE, ("expat",))
        assert caught.value.problems[0].hint == "name fewer packages under 'libraries'"
        image.hint = "a layer cannot be larger than 250 MB; pin a version that has a wheel"
        with pytest.raises(CompileError) as caught:
            opened().newest(self.HERE, ("expat",))
        assert caught.value.problems[0].hint == "a layer cannot be larger than 250 MB"
        image.identity_now = None
        with pytest.raises(CompileError) as caught:
            opened().newest(self.HERE, ("expat",))
        assert str(caught.value) == (
            "the libraries of expat come from builder, but no Docker engine is available; "
            "start Docker, or set DOCKER_HOST"
        )


class TestAnIndexThatLies:
    GOOD = {  # noqa: RUF012
        "system": "rpm/amzn",
        "packages": [
            {
                "name": "expat",
                "version": "2.6-1",
                "license": "MIT",
                "names": ["expat"],
                "libraries": {"libexpat.so.1": "0"},
                "licenses": [["COPYING", "1"], ["COPYING", "2"]],
            }
        ],
    }

    def read(self, tmp_path, index, names=("expat",)):
        text = index if isinstance(index, bytes) else json.dumps(index).encode()
        path = tmp_path / "index.json"
        path.write_bytes(text)
        files = {"index.json": path, **{str(number): path for number in range(3)}}
        return read_index(BuildResult(code=0, output="", files=files), names)

    def test_what_the_script_writes(self, tmp_path):
        (package,) = self.read(tmp_path, self.GOOD)
        assert package["libraries"] == {"libexpat.so.1": "0"}
        assert package["licenses"] == {"COPYING": "1", "COPYING.2": "2"}
        assert (package["license"], package["is_named"], package["system"]) == ("MIT", True, "rpm/amzn")

    def test_a_license_with_control_characters_is_left_out(self, tmp_path):
        (package,) = self.read(tmp_path, self.changed(license="MIT\x1b[2J"))
        assert package["license"] is None

    def changed(self, **values):
        return {**self.GOOD, "packages": [{**self.GOOD["packages"][0], **values}]}

    @pytest.mark.parametrize(
        "values",
        [
            {"name": "../expat"},
            {"name": "expat\n# inputs: x"},
            {"version": "1 2"},
            {"version": "1\n"},
            {"libraries": {"../../python/os.so": "0"}},
            {"libraries": {"libexpat.so.1\x1b": "0"}},
            {"libraries": {"lib/expat.so.1": "0"}},
            {"libraries": {"libexpat.so.1": "9"}},
            {"libraries": ["libexpat.so.1"]},
            {"licenses": [["../COPYING", "1"]]},
            {"licenses": [["COPYING", "7"]]},
            {"licenses": [["COPYING"]]},
            {"names": []},
            {"names": None},
            {"names": ["expat", "more"]},
        ],
    )
    def test_it_is_refused(self, tmp_path, values):
        with pytest.raises(CompileError, match="the list of the libraries of expat is not valid"):
            self.read(tmp_path, self.changed(**values))

    @pytest.mark.parametrize(
        "index",
        [
            b"",
            b"[]",
            b"{}",
            b"null",
            b"[" * 100_000,
            b" " * (2 << 20),
            {"system": "amzn", "packages": GOOD["packages"]},
            {"system": "rpm/amzn", "packages": GOOD["packages"] * 2},
            {"system": "rpm/amzn", "packages": {}},
        ],
    )
    def test_what_is_no_index_is_refused(self, tmp_path, index):
        with pytest.raises(CompileError, match="the list of the libraries of expat is not valid"):
            self.read(tmp_path, index)


def test_what_the_loader_says_of_its_cache():
    lines = [
        "5 libs found in cache `/etc/ld.so.cache'",
        '\tlibz.so.1 (libc6,x86-64, hwcap: "x86-64-v3") => /lib/glibc-hwcaps/x86-64-v3/libz.so.1',
        "\tlibz.so.1 (libc6) => /lib/i386-linux-gnu/libz.so.1",
        "\tlibz.so.1 (libc6,x86-64) => /lib64/libz.so.1",
        "\tlibz.so.1 (libc6,x86-64) => /usr/local/lib/libz.so.1",
        "\tlibold.so.1 (libc6,x86-64, OS ABI: Linux 2.6.32) => /lib64/libold.so.1",
        "\tlibarm.so.1 (libc6,AArch64) => /lib64/libarm.so.1",
        "Cache generated by: ldconfig (GNU libc) release release version 2.34",
    ]
    assert libraries_in_cache(lines) == {
        "libz.so.1": "/lib64/libz.so.1",
        "libold.so.1": "/lib64/libold.so.1",
        "libarm.so.1": "/lib64/libarm.so.1",
    }


def test_what_the_loader_says_of_a_library():
    lines = [
        "\tlinux-vdso.so.1 (0x00007f0ed4a39000)",
        "\tlibltdl.so.7 => /lib64/libltdl.so.7 (0x00007f0ed49b2000)",
        "\tlibnot.so.1 => not found",
        "\t/lib64/ld-linux-x86-64.so.2 (0x00007f0ed4a3b000)",
    ]
    assert linked_libraries(lines) == {"libltdl.so.7": "/lib64/libltdl.so.7"}
