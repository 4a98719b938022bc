import pytest
from packaging.requirements import Requirement

from entrypoint.errors import Location
from entrypoint.index.candidates import IndexFile, choose, choose_sdist, fit, version_of
from entrypoint.index.incompatible import (
    incompatibilities,
    no_compatible_file,
    no_compatible_version,
    why_no_wheel,
)
from entrypoint.index.options import IndexOptions
from entrypoint.index.pin import Pin
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform

ARM_313 = Platform(RUNTIMES["python3.13"], Architecture.ARM64)
X86_311 = Platform(RUNTIMES["python3.11"], Architecture.X86_64)
PLACE = Location("requirements.in", 4)


def listed(*filenames, requires_python=None, yanked=None):
    return tuple(
        IndexFile(
            filename=filename,
            url=f"https://index.example/{filename}",
            sha256=f"{number:064x}",
            requires_python=requires_python,
            yanked=yanked,
        )
        for number, filename in enumerate(filenames)
    )


def pinned(text, *hashes):
    name, version = text.split("==")
    return Pin(name=name, version=version, hashes=frozenset(hashes), location=PLACE)


def chosen(files, platform, text="thing==1.0", *hashes):
    file = choose(pinned(text, *hashes), files, platform)
    return file and file.filename


@pytest.mark.parametrize(
    ("platform", "best_first"),
    [
        (
            ARM_313,
            [
                "thing-1.0-cp313-cp313-manylinux_2_34_aarch64.whl",
                "thing-1.0-cp313-cp313-manylinux_2_28_aarch64.whl",
                "thing-1.0-cp313-cp313-manylinux2014_aarch64.manylinux_2_17_aarch64.whl",
                "thing-1.0-cp313-cp313-linux_aarch64.whl",
                "thing-1.0-cp313-abi3-manylinux_2_17_aarch64.whl",
                "thing-1.0-cp39-abi3-manylinux_2_28_aarch64.whl",
                "thing-1.0-py3-none-manylinux_2_17_aarch64.whl",
                "thing-1.0-py3-none-any.whl",
            ],
        ),
        (
            X86_311,
            [
                "thing-1.0-cp311-cp311-manylinux_2_26_x86_64.whl",
                "thing-1.0-cp311-cp311-manylinux2010_x86_64.whl",
                "thing-1.0-cp311-cp311-manylinux_2_5_x86_64.manylinux1_x86_64.whl",
                "thing-1.0-py2.py3-none-any.whl",
            ],
        ),
    ],
)
def test_the_best_tag_is_chosen_in_any_order_of_the_listing(platform, best_first):
    for position, best in enumerate(best_first):
        assert chosen(listed(*reversed(best_first[position:])), platform) == best


@pytest.mark.parametrize(
    "filename",
    [
        "thing-1.0-cp313-cp313-manylinux_2_35_aarch64.whl",
        "thing-1.0-cp313-cp313-musllinux_1_2_aarch64.whl",
        "thing-1.0-cp313-cp313-manylinux_2_28_x86_64.whl",
        "thing-1.0-cp313-cp313-macosx_11_0_arm64.whl",
        "thing-1.0-cp313-cp313t-manylinux_2_28_aarch64.whl",
        "thing-1.0-cp312-cp312-manylinux_2_28_aarch64.whl",
        "thing-1.0-cp314-abi3-manylinux_2_28_aarch64.whl",
        "thing-1.0-py2-none-any.whl",
        "thing-1.0.tar.gz",
        "thing-2.0-py3-none-any.whl",
        "not a package",
    ],
)
def test_an_incompatible_file_is_not_chosen(filename):
    assert chosen(listed(filename), ARM_313) is None


def test_a_higher_build_number_is_a_tie_break_below_the_tag():
    files = listed(
        "thing-1.0-py3-none-any.whl",
        "thing-1.0-2-py3-none-any.whl",
        "thing-1.0-10-py3-none-any.whl",
        "thing-1.0-cp39-abi3-linux_aarch64.whl",
    )
    assert chosen(files, ARM_313) == "thing-1.0-cp39-abi3-linux_aarch64.whl"
    assert chosen(files[:3], ARM_313) == "thing-1.0-10-py3-none-any.whl"


def test_only_hashes_of_the_lock_are_chosen():
    files = listed("thing-1.0-cp313-cp313-linux_aarch64.whl", "thing-1.0-py3-none-any.whl")
    allowed = f"sha256:{1:064x}"
    assert chosen(files, ARM_313, "thing==1.0", allowed) == "thing-1.0-py3-none-any.whl"


def test_versions_are_compared_as_versions():
    assert chosen(listed("thing-1.0.0-py3-none-any.whl"), ARM_313, "thing==1.0")
    assert chosen(listed("thing-1.0+cpu-py3-none-any.whl"), ARM_313, "thing==1.0+cpu")
    assert not chosen(listed("thing-1.0+cpu-py3-none-any.whl"), ARM_313, "thing==1.0")


@pytest.mark.parametrize(
    ("requires_python", "fits"),
    [(">=3.13", True), (">=3.9,<4", True), ("<3.13", False), ("3.13 or so", True), (None, True)],
)
def test_requires_python_is_that_of_the_platform(requires_python, fits):
    files = listed("thing-1.0-py3-none-any.whl", requires_python=requires_python)
    assert bool(chosen(files, ARM_313)) is fits


def test_a_yanked_file_is_chosen_for_a_pin():
    assert chosen(listed("thing-1.0-py3-none-any.whl", yanked=""), ARM_313)


def test_versions_of_filenames():
    assert str(version_of("thing-1.0-py3-none-any.whl")) == "1.0"
    assert str(version_of("thing-1.0.tar.gz")) == "1.0"
    assert version_of("thing-1.0.exe") is None


@pytest.mark.parametrize(
    ("tag", "reasons"),
    [
        ("cp311-cp311-manylinux_2_28_x86_64", "requires glibc 2.28, python3.11 has 2.26"),
        ("cp312-cp312-manylinux_2_17_x86_64", "is for Python 3.12"),
        ("cp312-abi3-manylinux_2_17_x86_64", "is for Python 3.12 or newer"),
        ("py2-none-any", "is for Python 2"),
        ("cp311-cp311-manylinux_2_17_aarch64", "is for aarch64"),
        ("cp311-cp311-musllinux_1_2_x86_64", "is for musl (Alpine)"),
        ("cp311-cp311-macosx_11_0_arm64", "is for macOS"),
        ("cp311-cp311-macosx_10_9_x86_64", "is for macOS"),
        ("cp311-cp311-win_amd64", "is for Windows"),
        ("cp311-cp311-win32", "is for Windows"),
        ("pp311-pypy311_pp73-manylinux_2_17_x86_64", "is for PyPy"),
        ("cp313-cp313t-manylinux_2_17_x86_64", "is for free-threaded Python"),
        ("graalpy311-graalpy240_311_native-linux_x86_64", "is for graalpy311"),
        (
            "cp312-cp312-manylinux_2_28_aarch64",
            "is for aarch64, requires glibc 2.28, python3.11 has 2.26, is for Python 3.12",
        ),
        ("cp311-cp311-manylinux_2_17_x86_64", ""),
    ],
)
def test_why_a_wheel_is_incompatible(tag, reasons):
    (file,) = listed(f"thing-1.0-{tag}.whl")
    assert ", ".join(incompatibilities(file, X86_311)) == reasons
    assert (fit(file.filename, X86_311) is None) == bool(reasons)


def test_why_a_wheel_with_another_requires_python_is_incompatible():
    (file,) = listed("thing-1.0-py3-none-any.whl", requires_python=">=3.12")
    assert incompatibilities(file, X86_311) == ("requires Python >=3.12",)


def test_incompatible_wheels_are_listed_closest_first():
    files = listed(
        "thing-1.0-cp311-cp311-win_amd64.whl",
        "thing-1.0-cp311-cp311-manylinux_2_17_aarch64.whl",
        "thing-1.0-cp311-cp311-manylinux_2_28_x86_64.whl",
        "thing-1.0-cp312-cp312-manylinux_2_17_x86_64.whl",
        "thing-1.0.tar.gz",
        "thing-0.9-py3-none-any.whl",
    )
    assert str(no_compatible_file(pinned("thing==1.0"), files, X86_311)) == (
        "requirements.in:4: thing==1.0 has no compatible wheel for python3.11-x86_64: "
        "thing-1.0-cp312-cp312-manylinux_2_17_x86_64.whl (is for Python 3.12), "
        "thing-1.0-cp311-cp311-manylinux_2_28_x86_64.whl (requires glibc 2.28, python3.11 has 2.26), "
        "thing-1.0-cp311-cp311-manylinux_2_17_aarch64.whl (is for aarch64), "
        "thing-1.0-cp311-cp311-win_amd64.whl (is for Windows); "
        "pin a version that has one, or remove this platform; "
        "its source is compiled only if the lock says so and no option or Requires-Python excludes it"
    )


def test_many_incompatible_wheels_are_counted():
    files = listed(*(f"thing-1.0-cp3{minor}-cp3{minor}-win_amd64.whl" for minor in range(10, 30)))
    message = no_compatible_file(pinned("thing==1.0"), files, X86_311).message
    assert message.count(".whl") == 8
    assert message.endswith("and 12 more")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ((), "package thing not found in any index"),
        (listed("thing-0.9-py3-none-any.whl"), "the index has no version 1.0 of thing"),
        (listed("thing-1.0.tar.gz"), "thing==1.0 has no wheels, only a source distribution"),
    ],
)
def test_other_reasons_for_a_missing_wheel(files, message):
    assert no_compatible_file(pinned("thing==1.0"), files, X86_311).message == message


def test_a_wheel_with_another_hash_is_reported():
    files = listed("thing-1.0-py3-none-any.whl")
    problem = no_compatible_file(pinned("thing==1.0", "sha256:abc"), files, X86_311)
    assert "does not match the lock: expected one of sha256:abc, got sha256:000" in problem.message


def requirement(text):
    return Requirement(text), PLACE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("thing", None),
        ("thing<2", None),
        ("thing>=2", "thing 3.0 has no compatible wheel for python3.11-x86_64"),
        ("thing>=9", "no version of thing satisfies `thing>=9`"),
    ],
)
def test_a_requirement_is_explained_only_if_no_version_is_compatible(text, message):
    files = listed(
        "thing-1.0-py3-none-any.whl",
        "thing-2.0-cp311-cp311-win32.whl",
        "thing-3.0-cp312-cp312-linux_x86_64.whl",
        "thing-4.0a1-py3-none-any.whl",
    )
    problem = no_compatible_version(*requirement(text), files, X86_311, IndexOptions())
    assert (problem and problem.message.split(":")[0]) == message


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("thing", IndexOptions(), None),
        (
            "thing",
            IndexOptions(only_binary=(":all:",)),
            "thing 2.0 has no wheels, only a source distribution",
        ),
        (
            "thing",
            IndexOptions(only_binary=("Thing",)),
            "thing 2.0 has no wheels, only a source distribution",
        ),
        ("thing", IndexOptions(only_binary=("thing", ":none:")), None),
        ("wheels", IndexOptions(), None),
        (
            "wheels",
            IndexOptions(no_binary=("wheels",)),
            "wheels==1.0 must be compiled, but the index has no source distribution of it for python3.11-x86_64",
        ),
    ],
)
def test_a_source_is_used_where_it_is_allowed(text, options, message):
    files = (
        listed("thing-1.0.tar.gz", "thing-2.0.zip")
        if text == "thing"
        else listed("wheels-1.0-py3-none-any.whl")
    )
    problem = no_compatible_version(*requirement(text), files, X86_311, options)
    assert (problem and problem.message) == message


def test_a_source_is_chosen_by_its_format_and_requires_python():
    files = listed("thing-1.0.zip", "thing-1.0.tar.gz", "thing-2.0.tar.gz", "thing-1.0-py3-none-any.whl")
    assert choose_sdist(pinned("thing==1.0"), files, X86_311).filename == "thing-1.0.tar.gz"
    assert choose_sdist(pinned("thing==1.0", f"sha256:{0:064x}"), files, X86_311).filename == "thing-1.0.zip"
    assert choose_sdist(pinned("thing==3.0"), files, X86_311) is None
    newer = listed("thing-1.0.tar.gz", requires_python=">=3.12")
    assert choose_sdist(pinned("thing==1.0"), newer, X86_311) is None


def test_why_a_package_is_compiled():
    files = listed("thing-1.0-cp311-cp311-win32.whl", "thing-2.0-py3-none-any.whl", "thing-3.0.tar.gz")
    reason = "thing-1.0-cp311-cp311-win32.whl (is for Windows); compatible wheels have 2.0"
    assert why_no_wheel("thing", "1.0", files, X86_311) == reason
    assert why_no_wheel("thing", "2.0", files, X86_311) == ""
    reason = "thing 3.0 has no wheels; compatible wheels have 2.0"
    assert why_no_wheel("thing", "3.0", files, X86_311) == reason
