import pytest
from layers import PYTHON313, assembled, for_machine, shared_object, target
from package_index import make_wheel

from entrypoint.build.verify import Severity, verify
from entrypoint.runtimes import RUNTIMES, Architecture, Platform

AARCH64 = 183
X86_64_AL2 = Platform(RUNTIMES["python3.11"], Architecture.X86_64)
ARM64 = Platform(RUNTIMES["python3.13"], Architecture.ARM64)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return shared_object(tmp_path_factory.mktemp("code"))


@pytest.fixture(scope="module")
def modern_library(tmp_path_factory):
    """Needs GLIBC_2.34, where pthread_create moved into libc, on any builder with a glibc as new as that."""
    call = "int run(pthread_t *t, void *(*f)(void *)) { return pthread_create(t, 0, f, 0); }"
    source = f"#include <pthread.h>\n{call}"
    return shared_object(tmp_path_factory.mktemp("modern"), source=source)


def findings(tmp_path, files, platform=PYTHON313):
    archive = assembled(tmp_path, make_wheel(tmp_path, "pkg", "1.0", files=files), platform=platform)
    return [(found.rule, found.severity, found.message) for found in verify(archive, target(platform))]


def test_a_sound_layer_has_no_findings(tmp_path, library):
    assert findings(tmp_path, {"pkg.py": b"", "pkg_native.cpython-313-x86_64-linux-gnu.so": library}) == []


def test_a_library_for_another_machine(tmp_path, library):
    ((rule, severity, message),) = findings(tmp_path, {"a.so": for_machine(library, AARCH64)})
    assert (rule, severity) == ("elf-machine", Severity.ERROR)
    assert "python/a.so of pkg-1.0-py3-none-any.whl is made for aarch64, not for x86_64" in message


def test_the_other_way_round(tmp_path, library):
    ((rule, _, message),) = findings(tmp_path, {"a.so": library}, ARM64)
    assert rule == "elf-machine"
    assert "is made for x86_64, not for aarch64" in message


def test_a_program_for_another_machine_is_a_warning_only(tmp_path, library):
    ((rule, severity, _),) = findings(
        tmp_path, {"pkg.py": b"", "pkg/helper-arm64": for_machine(library, AARCH64)}
    )
    assert (rule, severity) == ("elf-machine", Severity.WARNING)


def test_a_glibc_that_the_runtime_does_not_have(tmp_path, modern_library):
    ((rule, severity, message),) = findings(tmp_path, {"a.so": modern_library}, X86_64_AL2)
    assert (rule, severity) == ("symbol-version", Severity.ERROR)
    assert "needs GLIBC_2.34, and python3.11 has 2.26" in message
    assert findings(tmp_path, {"a.so": modern_library}, PYTHON313) == []


def test_a_module_compiled_for_another_python(tmp_path, library):
    ((rule, severity, message),) = findings(tmp_path, {"pkg/a.cpython-312-x86_64-linux-gnu.so": library})
    assert (rule, severity) == ("cpython-suffix", Severity.ERROR)
    assert "python/pkg/a of pkg-1.0-py3-none-any.whl is compiled for Python 3.12 only" in message


@pytest.mark.parametrize("other", ["a.cpython-313-x86_64-linux-gnu.so", "a.abi3.so", "a.so", "a.py"])
def test_a_module_that_also_serves_this_python(tmp_path, library, other):
    assert findings(tmp_path, {"a.cpython-312-x86_64-linux-gnu.so": library, other: library}) == []


def test_a_damaged_library(tmp_path, library):
    ((rule, severity, message),) = findings(tmp_path, {"a.so": library[:100]})
    assert (rule, severity) == ("damaged-elf", Severity.ERROR)
    assert "damaged ELF file" in message


def test_a_layer_with_nothing_to_import(tmp_path):
    assert [rule for rule, *_ in findings(tmp_path, {"notes.txt": b""})] == ["empty-layer"]


def test_a_layer_that_is_too_large(tmp_path):
    ((rule, severity, message),) = findings(tmp_path, {"pkg.py": b"", "a.bin": bytes(262_144_000)})
    assert (rule, severity) == ("unzipped-size", Severity.ERROR)
    assert "where Lambda takes 262,144,000" in message


def test_packages_with_different_files_under_one_path(tmp_path):
    wheels = [make_wheel(tmp_path, name, "1.0", files={"tests/__init__.py": name}) for name in ("a", "b")]
    (found,) = verify(assembled(tmp_path, *wheels), target())
    assert (found.rule, found.severity) == ("contested-path", Severity.WARNING)
    assert str(found.problem).startswith(
        "lambda-layers.yml:4:3: web-python3.13-x86_64: several packages hold"
    )
