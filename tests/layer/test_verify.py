import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from layers import PYTHON313, assembled, for_machine, laid_out, shared_object, target
from package_index import make_wheel

from entrypoint.cache import Cache
from entrypoint.errors import Severity
from entrypoint.layer.assemble import assemble
from entrypoint.layer.elf import ElfFacts
from entrypoint.layer.runtime_image import native_architecture
from entrypoint.layer.verify import RULES, SUMMARIES, labelled, verify
from entrypoint.layer.verify.imports import RULE, check_imports, top_level_modules, warn_of_imports
from entrypoint.layer.verify.standard_library import STANDARD_LIBRARY
from entrypoint.manifest.layer_schema import RULE_IDS
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform
from entrypoint.wheels.build_environment import BuildResult

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
    assert "python/a.so of pkg-1.0-py3-none-any.whl is built for aarch64, not for x86_64" in message


def test_the_other_way_round(tmp_path, library):
    ((rule, _, message),) = findings(tmp_path, {"a.so": library}, ARM64)
    assert rule == "elf-machine"
    assert "is built for x86_64, not for aarch64" in message


def test_a_program_for_another_machine_is_a_warning_only(tmp_path, library):
    ((rule, severity, _),) = findings(
        tmp_path, {"pkg.py": b"", "pkg/helper-arm64": for_machine(library, AARCH64)}
    )
    assert (rule, severity) == ("elf-machine", Severity.WARNING)


def test_a_glibc_that_the_runtime_does_not_have(tmp_path, modern_library):
    ((rule, severity, message),) = findings(tmp_path, {"a.so": modern_library}, X86_64_AL2)
    assert (rule, severity) == ("symbol-version", Severity.ERROR)
    assert "needs GLIBC_2.34; python3.11 has 2.26" in message
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


@pytest.mark.large
def test_a_layer_that_is_too_large(tmp_path):
    ((rule, severity, message),) = findings(tmp_path, {"pkg.py": b"", "a.bin": bytes(262_144_000)})
    assert (rule, severity) == ("unzipped-size", Severity.ERROR)
    assert "Lambda allows 262,144,000" in message


def test_packages_with_different_files_under_one_path(tmp_path):
    wheels = [make_wheel(tmp_path, name, "1.0", files={"tests/__init__.py": name}) for name in ("a", "b")]
    (found,) = verify(assembled(tmp_path, *wheels), target())
    assert (found.rule, found.severity) == ("contested-path", Severity.WARNING)
    assert str(labelled(found, target())).startswith(
        "lambda-layers.yml:4:3: web-python3.13-x86_64: several packages contain"
    )


def linked(folder, library, *, function="PyInit_a", rpath=None):
    """A shared object that is linked to another one, which is made for it."""
    helper = shared_object(folder, source="int help(void) { return 1; }", flags=(f"-Wl,-soname,{library}",))
    (folder / library).write_bytes(helper)
    source = f"int help(void); int {function}(void) {{ return help(); }}"
    flags = ["-L.", f"-l:{library}", *([f"-Wl,-rpath,{rpath}"] if rpath else [])]
    return shared_object(folder, source=source, flags=tuple(flags)), helper


def rules_of(tmp_path, files, platform=PYTHON313, **options):
    archive = assembled(tmp_path, make_wheel(tmp_path, "pkg", "1.0", files=files), platform=platform)
    return [found.rule for found in verify(archive, target(platform, **options))]


def test_a_library_that_is_nowhere(tmp_path):
    user, _ = linked(tmp_path, "libhelp.so.1")
    ((rule, severity, message),) = findings(tmp_path, {"a.so": user})
    assert (rule, severity) == ("needed-library", Severity.ERROR)
    assert "python/a.so of pkg-1.0-py3-none-any.whl is linked to libhelp.so.1" in message
    assert "neither in the layer nor in python3.13" in message


def test_a_module_that_needs_it_through_a_library_of_the_package(tmp_path):
    library, _ = linked(tmp_path, "libhelp.so.1", function="middle")
    (tmp_path / "libmiddle.so").write_bytes(library)
    flags = ("-L.", "-l:libmiddle.so", "-Wl,--unresolved-symbols=ignore-all")
    module = shared_object(
        tmp_path, source="int middle(void); int PyInit_a(void) { return middle(); }", flags=flags
    )
    ((rule, severity, message),) = findings(tmp_path, {"a.so": module, "libmiddle.so": library})
    assert (rule, severity) == ("needed-library", Severity.ERROR)
    assert "python/libmiddle.so of pkg-1.0-py3-none-any.whl is linked to libhelp.so.1" in message


def test_plugins_that_nothing_is_linked_to(tmp_path):
    """Such as those of Qt in opencv-python, and for authentication in mysql-connector-python."""
    plugin, _ = linked(tmp_path, "libhelp.so.1", function="plugin")
    files = {"pkg.py": ""} | {f"pkg/plugins/p{number}.so": plugin for number in range(5)}
    ((rule, severity, message),) = findings(tmp_path, files)
    assert (rule, severity) == ("needed-library", Severity.WARNING)
    assert "p0.so, python/pkg/plugins/p1.so, python/pkg/plugins/p2.so and 2 more of pkg-1.0" in message
    assert "are linked to libhelp.so.1, which is neither in the layer nor in python3.13" in message


def test_what_is_not_known_of_a_system_is_a_warning(tmp_path):
    user, _ = linked(tmp_path, "libhelp.so.1")
    ((rule, severity, message),) = findings(tmp_path, {"a.so": user}, X86_64_AL2)
    assert (rule, severity) == ("needed-library", Severity.WARNING)
    assert message.endswith("the list of libraries of this runtime is incomplete")


@pytest.mark.parametrize(
    ("rpath", "location"),
    [
        ("$ORIGIN/pkg.libs", "pkg.libs/libhelp.so.1"),
        ("${ORIGIN}/other", "other/libhelp.so.1"),
        (None, "libhelp.so.1"),
    ],
)
def test_a_library_that_the_package_brings_along(tmp_path, rpath, location):
    user, helper = linked(tmp_path, "libhelp.so.1", rpath=rpath)
    assert rules_of(tmp_path, {"a.so": user, location: helper}) == []


def test_libraries_of_the_runtime(tmp_path):
    library = shared_object(
        tmp_path, source="int answer(void) { return 1; }", flags=("-Wl,--no-as-needed", "-lm", "-ldl")
    )
    assert rules_of(tmp_path, {"a.so": library}) == []


def test_a_newer_libstdcpp_is_refused_unless_it_comes_along(tmp_path):
    facts = ElfFacts(
        machine="x86_64",
        versions=("libstdc++.so.6 GLIBCXX_3.4.30", "libstdc++.so.6 CXXABI_1.3.13", "libc.so.6 GLIBC_2.2.5"),
        needed=("libstdc++.so.6",),
        soname=None,
        search_path=(),
    )
    part = laid_out(make_wheel(tmp_path, "pkg", "1.0"), tmp_path / "cache")
    layer = assemble([replace(part, elf={"python/a.so": facts})], tmp_path / "layer.zip")
    (found,) = verify(layer, target())
    assert found.rule == "symbol-version"
    assert "needs GLIBCXX_3.4.30; python3.13 has 3.4.29" in found.message
    bundled = replace(facts, versions=(), soname="libstdc++.so.6")
    layer = assemble(
        [replace(part, elf={"python/a.so": facts, "python/b.so": bundled})], tmp_path / "layer.zip"
    )
    assert verify(layer, target()) == ()


def verified(tmp_path, *wheels, **options):
    return [(found.rule, found.message) for found in verify(assembled(tmp_path, *wheels), target(**options))]


def test_a_dependency_that_is_missing(tmp_path):
    requires = (
        "absent>=2",
        "windows; sys_platform == 'win32'",
        "more; extra == 'more'",
        "boto3",
        "not a requirement!!",
    )
    wheel = make_wheel(tmp_path, "pkg", "1.0", requires=requires)
    assert verified(tmp_path, wheel) == [
        ("missing-dependency", "pkg 1.0 requires absent>=2, which is not in the layer"),
    ]


def test_a_dependency_of_another_version(tmp_path):
    wheels = (
        make_wheel(tmp_path, "pkg", "1.0", requires=("Other_Thing<2",)),
        make_wheel(tmp_path, "other-thing", "2.1"),
    )
    assert verified(tmp_path, *wheels) == [
        ("missing-dependency", "pkg 1.0 requires Other_Thing<2; the layer has 2.1"),
    ]


def test_a_package_for_another_python(tmp_path):
    wheel = make_wheel(tmp_path, "pkg", "1.0", requires_python="<3.13")
    assert verified(tmp_path, wheel) == [
        ("requires-python", "pkg requires Python <3.13; python3.13 is 3.13.0"),
    ]


def test_half_of_the_sdk(tmp_path):
    sdk = [make_wheel(tmp_path, name, "1.0") for name in ("boto3", "botocore", "s3transfer", "urllib3")]
    assert verified(tmp_path, *sdk) == []
    ((rule, message),) = verified(tmp_path, sdk[3])
    assert rule == "runtime-sdk"
    assert message == "the layer replaces the runtime's urllib3, but not boto3, botocore, s3transfer"


def test_the_sdk_is_what_is_in_the_archive(tmp_path):
    """Whatever `exclude` left of its packages, and wherever its modules come from."""
    wheel = make_wheel(tmp_path, "everything", "1.0", files={"boto3/__init__.py": "", "x.py": ""})
    assert [rule for rule, _ in verified(tmp_path, wheel)] == ["runtime-sdk"]
    only_metadata = make_wheel(tmp_path, "boto3", "1.0", files={"readme.py": ""})
    assert verified(tmp_path, only_metadata) == []


MACH_O = bytes.fromhex("cffaedfe0c000001") + bytes(100)
FAT = bytes.fromhex("cafebabe00000002") + bytes(100)
JAVA = bytes.fromhex("cafebabe00000034") + bytes(100)
WINDOWS = b"MZ\x90\0" + bytes(100)


@pytest.mark.parametrize(
    ("files", "rules"),
    [
        ({"a.so": MACH_O}, ["foreign-binary"]),
        ({"a.abi3.so": FAT, "b.so": WINDOWS}, ["foreign-binary"] * 2),
        ({"a.py": "", "a.cpython-313-darwin.so": MACH_O, "a/b.dylib": MACH_O}, []),
        ({"a/__init__.py": "", "a/c.cpython-313-darwin.so": MACH_O}, ["foreign-module"]),
        ({"a/__init__.py": "", "a/c.cp313-win_amd64.pyd": WINDOWS}, ["foreign-module"]),
        ({"a/__init__.py": "", "a/c.pyd": WINDOWS}, ["foreign-module"]),
        ({"a/__init__.py": "", "a/c.pyd": WINDOWS, "a/c.py": ""}, []),
        ({"setuptools/__init__.py": "", "setuptools/cli.exe": WINDOWS, "setuptools/B.class": JAVA}, []),
        ({"a.py": "", "a.pth": "import a"}, ["path-file"]),
        ({"a.py": "", "a/deep/b.pth": "import a"}, []),
    ],
)
def test_binaries_of_other_systems(tmp_path, files, rules):
    assert [rule for rule, *_ in findings(tmp_path, files)] == rules


@pytest.mark.parametrize(
    "path", ["enum.py", "uuid/__init__.py", "typing.so", "re.cpython-313-x86_64-linux-gnu.so"]
)
def test_modules_that_hide_the_standard_library(tmp_path, library, path):
    files = {path: library if path.endswith(".so") else "", "pkg.py": ""}
    ((rule, severity, message),) = findings(tmp_path, files)
    assert (rule, severity) == ("hides-stdlib", Severity.ERROR)
    assert f"hides {re.split('[./]', path)[0]} of the standard library" in message


def test_names_that_hide_nothing(tmp_path):
    """A folder that is no package, a module inside a package, and what newer Pythons no longer have."""
    files = {"enum/readme.txt": "", "pkg/enum.py": "", "distutils/__init__.py": "", "cgi.py": ""}
    assert findings(tmp_path, files) == []


def test_the_standard_library_is_that_of_every_python():
    assert sys.stdlib_module_names >= STANDARD_LIBRARY
    assert {"enum", "typing", "uuid", "dataclasses", "asyncio", "zoneinfo"} <= STANDARD_LIBRARY


def test_paths_that_differ_in_case(tmp_path):
    wheel = make_wheel(tmp_path, "pkg", "1.0", files={"pkg/Name.py": "", "pkg/name.py": ""})
    assert [rule for rule, _ in verified(tmp_path, wheel)] == ["case-collision"]


def test_a_budget(tmp_path):
    wheel = make_wheel(tmp_path, "pkg", "1.0", files={"pkg.py": b"x" * 5000})
    ((rule, message),) = verified(tmp_path, wheel, size_budget=1000)
    assert rule == "size-budget"
    assert "over its size_budget of 1,000" in message
    assert verified(tmp_path, wheel, size_budget=10_000) == []


@pytest.mark.large
def test_very_many_files(tmp_path):
    wheel = make_wheel(tmp_path, "pkg", "1.0", files={f"pkg/m{number}.py": "" for number in range(20_001)})
    assert [rule for rule, _ in verified(tmp_path, wheel)] == ["file-count"]


def test_what_is_ignored_with_a_reason(tmp_path):
    wheel = make_wheel(tmp_path, "pkg", "1.0", requires=("absent",), requires_python="<3.13")
    ignored = frozenset({"missing-dependency"})
    assert [rule for rule, _ in verified(tmp_path, wheel, ignored_rules=ignored)] == ["requires-python"]


def test_the_manifest_knows_every_rule():
    assert (*(rule.id for rule in RULES), RULE) == RULE_IDS
    assert tuple(SUMMARIES) == RULE_IDS
    assert all(re.fullmatch(r"[A-Z].*\.", text) for text in SUMMARIES.values())


def test_every_rule_is_documented():
    text = (Path(__file__).parents[2] / "docs" / "rules.md").read_text()
    assert re.findall(r"^## `([a-z-]+)`", text, re.MULTILINE) == list(RULE_IDS)


def test_the_modules_that_are_worth_importing(tmp_path):
    paths = """pkg/__init__.py pkg/sub/__init__.py one.py two.cpython-313-x86_64-linux-gnu.so _private.py
    namespace/mod.py not-a-module.py data.txt bin/tool.py"""
    archive = assembled(tmp_path, make_wheel(tmp_path, "pkg", "1.0", files=dict.fromkeys(paths.split(), "")))
    assert top_level_modules(archive) == ["one", "pkg", "two"]


class Answering:
    """Builders in which a module of the layer wrote the answer of the check."""

    python = "python3.13"

    def __init__(self, answer):
        self.answer = answer

    def identity(self, _):
        return "sha256:1"

    def open(self, _):
        return self

    def run(self, _files, _command, *, results, **_):
        path = results / "failures.json"
        path.write_bytes(self.answer)
        return BuildResult(code=0, output="", files={path.name: path})


@pytest.mark.parametrize(
    "answer", [b"5", b"[1]", b"null", b"[" * 100_000, b"\xff", b"{" * 9, b'{"pkg": {"a": 1}}']
)
def test_no_answer_of_an_imported_module_ends_the_run(tmp_path, answer):
    archive = assembled(tmp_path, make_wheel(tmp_path, "pkg", "1.0", files={"pkg.py": b""}))
    here = target(Platform(RUNTIMES["python3.13"], native_architecture()))
    assert warn_of_imports(archive, here, Answering(answer), Cache(tmp_path / "cache")) == ()
    found = check_imports(archive, here, Answering(answer))
    assert [each.severity for each in found] in ([], [Severity.WARNING])


def test_an_imported_module_reports_only_of_the_modules_of_the_layer(tmp_path):
    archive = assembled(tmp_path, make_wheel(tmp_path, "pkg", "1.0", files={"pkg.py": b""}))
    answer = b'{"boto3": "run: pip install evil", "pkg": "%s"}' % (b"x" * 100_000)
    (problem,) = check_imports(archive, target(), Answering(answer))
    assert problem.message.startswith("pkg cannot be imported in ")
    assert len(problem.message) < 2000
