"""The system packages of a layer's libraries in its lock."""

from dataclasses import replace
from pathlib import Path

import pytest

from entrypoint.errors import Location, LockError, ManifestError
from entrypoint.lock.changes import changes
from entrypoint.lock.header import inputs_hash, is_in_sync
from entrypoint.lock.libraries import LibraryPins, SystemPackage, library_lines, read_libraries
from entrypoint.lock.lock_file import Lock, lock_text, read_lock, write_lock
from entrypoint.lock.requirement_lines import read_lines
from entrypoint.lock.resolve import resolve
from entrypoint.manifest.model import Requirements
from entrypoint.manifest.project import load_project
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform

PLATFORM = Platform(RUNTIMES["python3.13"], Architecture.X86_64)
HERE = Location("web.txt")
IMAGE = "public.ecr.aws/sam/build-python3.13:latest-x86_64"
PINS = LibraryPins(
    IMAGE,
    ("expat", "unixODBC"),
    (
        SystemPackage("expat", "2.6.3-1.amzn2023.0.2"),
        SystemPackage("libpng", "2:1.6.37-10.amzn2023.0.6"),
        SystemPackage("libstdc++6", "12.2.0-14+deb12u1~x"),
        SystemPackage("unixODBC", "2.3.11-2.amzn2023.0.3"),
    ),
)


def wanted(*names, image="builder"):
    location = Location("lambda-layers.yml", 3)
    return Requirements(location=location, libraries=names, image=image)


def lock_of(requirements, libraries=PINS):
    inputs = inputs_hash(read_lines(requirements), PLATFORM)
    return Lock(platform=PLATFORM, pins=(), inputs=inputs, libraries=libraries)


def written(tmp_path, requirements, libraries=PINS):
    path = tmp_path / "web.txt"
    write_lock(path, lock_of(requirements, libraries), made_from=["lambda-layers.yml"])
    return path


def test_a_section_is_read_as_it_was_written():
    text = lock_text(lock_of(wanted("expat")), made_from=["lambda-layers.yml"])
    assert (
        f"# libraries of {IMAGE} for expat, unixODBC:\n#   expat 2.6.3-1.amzn2023.0.2\n#   libpng 2:" in text
    )
    assert read_libraries(text, HERE) == PINS
    assert read_libraries("# inputs: x\n", HERE) is None
    assert list(library_lines(None)) == []


def test_a_package_without_a_version_is_refused():
    text = f"# a\n# libraries of {IMAGE} for expat:\n#   expat 1\n#   libodbc2\n"
    with pytest.raises(LockError) as caught:
        read_libraries(text, HERE)
    (problem,) = caught.value.problems
    assert str(problem) == "web.txt:4: this system package has no version; run: lambda-layers lock"


@pytest.mark.parametrize("entry", ["expat 1\x1b[2J", "expat --nogpgcheck", "-y 1", "expat=1 2", "expat 1 2"])
def test_what_is_not_a_package_and_a_version_is_refused(entry):
    with pytest.raises(LockError):
        read_libraries(f"# libraries of {IMAGE} for expat:\n#   {entry}\n", HERE)


def test_a_lock_is_in_sync_only_for_the_same_packages_of_the_same_image(tmp_path):
    path = written(tmp_path, wanted("expat", "unixODBC"))
    assert is_in_sync(path, PLATFORM, requirements=wanted("unixODBC", "expat"))
    assert read_lock(path, PLATFORM, requirements=wanted("expat", "unixODBC")).libraries == PINS
    for other in (wanted("expat"), wanted("expat", "unixODBC", image="other"), wanted()):
        assert not is_in_sync(path, PLATFORM, requirements=other)
        with pytest.raises(LockError, match="out of sync"):
            read_lock(path, PLATFORM, requirements=other)


def test_a_lock_without_the_section_is_refused(tmp_path):
    path = written(tmp_path, wanted("expat"), libraries=None)
    assert not is_in_sync(path, PLATFORM, requirements=wanted("expat"))
    with pytest.raises(LockError, match="does not pin the packages of 'libraries'"):
        read_lock(path, PLATFORM, requirements=wanted("expat"))


def test_a_layer_without_libraries_has_the_hash_that_it_had_before():
    assert wanted().libraries_of_image == ()
    assert read_lines(wanted()).build_lines == ()
    assert not any(wanted().inputs)
    assert any(wanted("expat").inputs)


def test_a_runtime_without_python_has_no_packages_to_resolve(tmp_path):
    platform = Platform(RUNTIMES["provided.al2023"], Architecture.X86_64)
    lock = resolve(wanted("expat"), platform, engine=None, index=None, describe=None)
    path = tmp_path / "web.txt"
    write_lock(path, replace(lock, libraries=PINS), made_from=["lambda-layers.yml"])
    found = read_lock(path, platform, requirements=wanted("expat"))
    assert (found.pins, found.libraries) == ((), PINS)


@pytest.mark.parametrize(("libraries", "is_refused"), [("[expat]", False), ("[expat, unixODBC]", True)])
def test_layers_with_one_lock_have_the_same_libraries(tmp_path, libraries, is_refused):
    (tmp_path / "web.in").write_text("six\n")
    layers = (
        f"  {name}: {{requirements: web.in, runtimes: [python3.13], libraries: {each}}}\n"
        for name, each in (("one", "[expat]"), ("two", libraries))
    )
    (tmp_path / "lambda-layers.yml").write_text("version: 1\nlayers:\n" + "".join(layers))

    def load():
        return load_project(Path("lambda-layers.yml"), root=tmp_path, variables={})

    if is_refused:
        with pytest.raises(ManifestError, match="the layers 'one' and 'two' would share their locks"):
            load()
    else:
        assert [target.layer.requirements.libraries for target in load().targets] == [("expat",)] * 2


def test_changes_name_system_packages():
    before = lock_of(wanted("expat"))
    packages = (SystemPackage("expat", "2.7"), SystemPackage("new", "1"), *PINS.packages[1:3])
    after = replace(before, libraries=PINS._replace(packages=packages))
    assert changes(before, after) == (
        "expat 2.6.3-1.amzn2023.0.2 -> 2.7 (system package)",
        "new 1 added (system package)",
        "unixODBC 2.3.11-2.amzn2023.0.3 removed (system package)",
    )
    assert changes(before, replace(before, libraries=None))[0].endswith("removed (system package)")
