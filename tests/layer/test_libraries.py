"""Which libraries of system packages a layer takes."""

import re
import shutil
import zipfile

import pytest
from layers import PYTHON313, assembled, laid_out, shared_object, target, unzipped
from package_index import make_wheel

from entrypoint.layer.assemble import assemble
from entrypoint.layer.dependency_hash import dependency_hash
from entrypoint.layer.describe import describe
from entrypoint.layer.libraries import library_parts, unused_packages
from entrypoint.layer.strip import Strip
from entrypoint.layer.verify import verify
from entrypoint.layer.verify.system_packages import PACKAGES, packages_of
from entrypoint.lock.libraries import LibraryPins, SystemPackage
from entrypoint.lock.lock_file import Lock
from entrypoint.manifest.layer_schema import LAYER
from entrypoint.manifest.libraries import libraries_of
from entrypoint.manifest.runtimes import AL2, AL2023, RUNTIMES
from entrypoint.wheels.libraries import Libraries, LibraryPackage

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")


class Shelf:
    """System packages with tiny libraries; each is linked to others, by soname."""

    def __init__(self, folder):
        self.folder = folder
        self.packages = []
        self.archive = folder / "libraries.zip"
        self.made = {}

    def library(self, soname, *linked, function="help"):
        (self.folder / "empty.c").touch()
        flags = [f"-Wl,-soname,{soname}", "-Wl,--no-as-needed", "-L."]
        for other in linked:
            if other not in self.made and not other.startswith("libc."):
                self.library(other)
            flags.append(f"-l:{other}")
        source = f"int {function}_{soname.partition('.')[0]}(void) {{ return 1; }}"
        made = shared_object(self.folder, source=source, flags=tuple(flags))
        (self.folder / soname).write_bytes(made)
        self.made[soname] = made
        return made

    def package(self, name, *sonames, named=True, version="1.0-1"):
        with zipfile.ZipFile(self.archive, "a", zipfile.ZIP_DEFLATED) as archive:
            for soname in sonames:
                archive.writestr(f"{name}/{soname}", self.made[soname])
            archive.writestr(f"{name}/licenses/COPYING", f"the license of {name}")
        self.packages.append(
            LibraryPackage(
                package=SystemPackage(name, version),
                system="rpm/amzn",
                license="MIT",
                is_named=named,
                libraries={soname: f"{name}/{soname}" for soname in sonames},
                licenses={"COPYING": f"{name}/licenses/COPYING"},
            )
        )

    @property
    def libraries(self):
        named = tuple(each.package.name for each in self.packages if each.is_named)
        pins = LibraryPins("builder", named, tuple(each.package for each in self.packages))
        return Libraries(pins=pins, packages=tuple(self.packages), archive=self.archive)

    def user(self, *linked):
        """An extension module that is linked to libraries."""
        flags = ("-Wl,--no-as-needed", "-L.", *(f"-l:{soname}" for soname in linked))
        return shared_object(self.folder, source="int PyInit_a(void) { return 1; }", flags=flags)


@pytest.fixture
def shelf(tmp_path):
    (tmp_path / "shelf").mkdir()
    return Shelf(tmp_path / "shelf")


@pytest.fixture
def part(tmp_path):
    def part(files):
        return laid_out(make_wheel(tmp_path, "pkg", "1.0", files=files), tmp_path / "cache")

    return part


def paths(parts):
    return [entry.path for part in parts for entry in part.entries]


def test_what_the_layer_is_linked_to_at_any_depth_and_nothing_else(shelf, part):
    shelf.library("libdeep.so.3", "libc.so.6")
    shelf.library("libmiddle.so.2", "libdeep.so.3")
    shelf.library("libother.so.1")
    shelf.package("deep", "libdeep.so.3", named=False)
    shelf.package("middle", "libmiddle.so.2", "libother.so.1")
    module = part({"a.so": shelf.user("libmiddle.so.2")})
    parts = library_parts(target(), [module], shelf.libraries)
    assert paths(parts) == [
        "lib/libmiddle.so.2",
        "share/licenses/middle/COPYING",
        "lib/libdeep.so.3",
        "share/licenses/deep/COPYING",
    ]
    assert [(part.name, part.origin) for part in parts] == [
        ("middle", "middle 1.0-1"),
        ("deep", "deep 1.0-1"),
    ]
    assert list(parts[0].elf) == ["lib/libmiddle.so.2"]


def test_what_the_layer_or_the_runtime_has_is_not_taken(shelf, part):
    for soname in ("libz.so.1", "libbundled.so.1", "libwanted.so.1"):
        shelf.library(soname)
    shelf.package("all", "libz.so.1", "libbundled.so.1", "libwanted.so.1")
    bundled = shelf.made["libbundled.so.1"]
    user = shelf.user("libz.so.1", "libbundled.so.1", "libwanted.so.1")
    module = part({"a.so": user, "pkg.libs/libbundled-12ab.so.1.2": bundled})
    parts = library_parts(target(), [module], shelf.libraries)
    assert paths(parts) == ["lib/libwanted.so.1", "share/licenses/all/COPYING"]


def test_a_package_that_adds_nothing_is_reported(shelf, part):
    shelf.library("libz.so.1")
    shelf.library("libwanted.so.1")
    shelf.package("zlib", "libz.so.1")
    shelf.package("wanted", "libwanted.so.1")
    parts = library_parts(target(), [part({"a.so": shelf.user("libz.so.1")})], shelf.libraries)
    (problem,) = unused_packages(target(), parts, shelf.libraries)
    assert problem.message == (
        "web-python3.13-x86_64: zlib in libraries adds nothing: the layer or the runtime has its libraries"
    )


def test_all_of_a_named_package_that_nothing_is_linked_to(shelf, part):
    """Code may load them by name, as WeasyPrint does."""
    shelf.library("libbelow.so.1")
    shelf.library("libdraw.so.1", "libbelow.so.1")
    shelf.library("libdrawmore.so.1")
    shelf.package("draw", "libdraw.so.1", "libdrawmore.so.1")
    shelf.package("below", "libbelow.so.1", named=False)
    shelf.package("unrelated", named=False)
    parts = library_parts(target(), [part({"pkg.py": ""})], shelf.libraries)
    assert sorted(path for path in paths(parts) if path.startswith("lib/")) == [
        "lib/libbelow.so.1",
        "lib/libdraw.so.1",
        "lib/libdrawmore.so.1",
    ]


def test_a_layer_with_them_passes_its_checks_and_says_what_it_has(shelf, part, tmp_path):
    shelf.library("libmiddle.so.2", "libc.so.6")
    shelf.package("middle", "libmiddle.so.2")
    module = part({"a.so": shelf.user("libmiddle.so.2")})
    assert [found.rule for found in verify(assemble([module], tmp_path / "a.zip"), target())] == [
        "needed-library"
    ]
    parts = [module, *library_parts(target(), [module], shelf.libraries)]
    archive = assemble(parts, tmp_path / "layer.zip")
    assert verify(archive, target()) == ()
    assert unzipped(archive.path)["lib/libmiddle.so.2"] == shelf.made["libmiddle.so.2"]
    assert archive.sha256 == assemble(parts, tmp_path / "again.zip").sha256
    built = describe(archive, target(), "0" * 64)
    assert [(each.name, each.origin, each.is_system) for each in built.packages][1:] == [
        ("middle", "middle 1.0-1", True)
    ]


def test_symbols_are_removed_from_the_right_library(shelf, part, tmp_path):
    """Entries of different packages must not share an entry of the cache."""
    shelf.library("libone.so.1", function="first")
    shelf.package("one", "libone.so.1")
    (before,) = library_parts(target(), [part({"pkg.py": ""})], shelf.libraries)
    other = Shelf(tmp_path / "other")
    other.folder.mkdir()
    other.library("libone.so.1", function="second")
    other.package("one", "libone.so.1", version="1.1-1")
    (after,) = library_parts(target(), [part({"pkg.py": ""})], other.libraries)
    strip = Strip(tmp_path / "cache")
    stripped = [
        unzipped(assemble([strip.applied(each)[0]], tmp_path / "stripped.zip").path)
        for each in (before, after)
    ]
    assert b"second_libone" in stripped[1]["lib/libone.so.1"]
    assert b"first_libone" in stripped[0]["lib/libone.so.1"]


class TestDependencyHash:
    def hashed(self, names=(), packages=(), **options):
        pins = LibraryPins("builder", names, packages) if packages else None
        lock = Lock(platform=PYTHON313, pins=(), libraries=pins)
        return dependency_hash(target(libraries=names, **options), lock, ())

    def test_names_and_versions_are_part_of_it(self):
        one, two = SystemPackage("expat", "1"), SystemPackage("expat", "2")
        hashes = [
            self.hashed(),
            self.hashed(("expat",)),
            self.hashed(("expat",), (one,)),
            self.hashed(("expat",), (two,)),
            self.hashed(("expat",), (one,), builder_image="other"),
            self.hashed(("libexpat",), (one,)),
        ]
        assert len(set(hashes)) == len(hashes)

    def test_order_is_not(self):
        one, two = SystemPackage("expat", "1"), SystemPackage("odbc", "2")
        assert self.hashed(("a", "b"), (one, two)) == self.hashed(("b", "a"), (two, one))


class TestHint:
    @pytest.mark.parametrize("system", [AL2, AL2023])
    def test_packages_are_listed_for_libraries_that_no_runtime_has(self, system):
        provided = [libraries_of(each) for each in RUNTIMES.values() if each.system == system]
        shape = LAYER.fields["libraries"].shape.item
        for soname, package in PACKAGES[system].items():
            assert not any(soname in each for each in provided), soname
            assert re.fullmatch(r"lib[A-Za-z0-9_+.-]+\.so\.[0-9.]+", soname)
            assert re.fullmatch(shape.pattern, package)
        assert len(PACKAGES[system]) > 50

    def test_packages_of_several_libraries(self):
        assert packages_of(["libodbc.so.2", "libltdl.so.7"], AL2023) == ("libtool-ltdl", "unixODBC")
        assert packages_of(["libexpat.so.1", "libnobody.so.1"], AL2023) is None

    def hint(self, tmp_path, shelf, soname, **options):
        shelf.library(soname)
        wheel = make_wheel(tmp_path, "pkg", "1.0", files={"a.so": shelf.user(soname)})
        (found,) = verify(assembled(tmp_path, wheel), target(**options))
        return found.hint

    def test_it_names_the_package_to_write(self, tmp_path, shelf):
        hint = self.hint(tmp_path, shelf, "libexpat.so.1")
        assert hint == "use a wheel that bundles the library, or add 'libraries: [expat]' to the layer"

    def test_it_keeps_what_the_layer_has(self, tmp_path, shelf):
        hint = self.hint(tmp_path, shelf, "libexpat.so.1", libraries=("unixODBC",))
        assert hint.endswith("or add 'libraries: [expat, unixODBC]' to the layer")

    def test_packages_of_another_image_are_not_known(self, tmp_path, shelf):
        hint = self.hint(tmp_path, shelf, "libexpat.so.1", builder_image="debian")
        assert hint.endswith("or name the system package that has it under 'libraries'")
