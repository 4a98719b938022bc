import pytest
from packaging.markers import Marker

from entrypoint.errors import ManifestError
from entrypoint.index.tags import marker_environment, supported_tags, tag_ranks
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform


def platform(name, architecture):
    return Platform(RUNTIMES[name], Architecture(architecture))


@pytest.mark.parametrize(
    ("runtime", "architecture", "count", "best"),
    [
        ("python3.9", "x86_64", 558, "cp39-cp39-manylinux_2_26_x86_64"),
        ("python3.9", "arm64", 264, "cp39-cp39-manylinux_2_26_aarch64"),
        ("python3.10", "x86_64", 611, "cp310-cp310-manylinux_2_26_x86_64"),
        ("python3.10", "arm64", 289, "cp310-cp310-manylinux_2_26_aarch64"),
        ("python3.11", "x86_64", 664, "cp311-cp311-manylinux_2_26_x86_64"),
        ("python3.11", "arm64", 314, "cp311-cp311-manylinux_2_26_aarch64"),
        ("python3.12", "x86_64", 933, "cp312-cp312-manylinux_2_34_x86_64"),
        ("python3.12", "arm64", 555, "cp312-cp312-manylinux_2_34_aarch64"),
        ("python3.13", "x86_64", 1002, "cp313-cp313-manylinux_2_34_x86_64"),
        ("python3.13", "arm64", 596, "cp313-cp313-manylinux_2_34_aarch64"),
        ("python3.14", "x86_64", 1071, "cp314-cp314-manylinux_2_34_x86_64"),
        ("python3.14", "arm64", 637, "cp314-cp314-manylinux_2_34_aarch64"),
    ],
)
def test_the_number_of_tags_equals_that_in_the_images_of_aws(runtime, architecture, count, best):
    tags = [str(tag) for tag in supported_tags(platform(runtime, architecture))]
    assert (len(tags), len(set(tags)), tags[0], tags[-1]) == (count, count, best, "py30-none-any")


def test_all_manylinux_tags_with_their_legacy_names():
    tags = {str(tag) for tag in supported_tags(platform("python3.11", "x86_64"))}
    assert {
        "cp311-cp311-manylinux_2_17_x86_64",
        "cp311-cp311-manylinux2014_x86_64",
        "cp311-cp311-manylinux2010_x86_64",
        "cp311-cp311-manylinux1_x86_64",
        "cp311-cp311-linux_x86_64",
        "cp37-abi3-manylinux_2_5_x86_64",
        "py3-none-any",
    } <= tags
    assert "cp311-cp311-manylinux_2_27_x86_64" not in tags
    assert not any("musllinux" in tag for tag in tags)


def test_a_newer_glibc_is_preferred_and_plain_linux_comes_last():
    ranks = {str(tag): rank for tag, rank in tag_ranks(platform("python3.13", "arm64")).items()}
    order = ["manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014", "linux"]
    assert sorted(order, key=lambda name: ranks[f"cp313-cp313-{name}_aarch64"]) == order


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("platform_machine == 'aarch64'", True),
        ("platform_machine == 'arm64'", False),
        ("python_version < '3.10'", True),
        ("python_full_version >= '3.9.1'", True),
        ("sys_platform == 'linux' and os_name == 'posix' and platform_system == 'Linux'", True),
        ("implementation_name == 'cpython' and platform_python_implementation == 'CPython'", True),
        ("sys_platform == 'darwin' or sys_platform == 'win32'", False),
        ("platform_release >= '5' or platform_version == 'x'", False),
    ],
)
def test_markers_are_evaluated_for_the_platform(marker, holds):
    assert Marker(marker).evaluate(marker_environment(platform("python3.9", "arm64"))) is holds


def test_a_custom_runtime_does_not_support_wheels():
    with pytest.raises(ManifestError, match="has no Python and does not support wheels"):
        supported_tags(platform("provided.al2023", "arm64"))
