import base64
import csv
import hashlib
import io
import json
import struct
import subprocess
import sys
import tracemalloc

import command
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layers import PYTHON313, assembled, for_machine, laid_out, shared_object, target, unzipped
from package_index import IndexServer, make_wheel, pip_environment

from entrypoint.layer import elf
from entrypoint.layer.assemble import assemble
from entrypoint.layer.dependency_hash import dependency_hash
from entrypoint.layer.exclude import Exclusion
from entrypoint.layer.repository_files import repository_files
from entrypoint.layer.repository_part import repository_part
from entrypoint.layer.strip import Strip
from entrypoint.layer.symbols import size_of_symbols, write_without_symbols
from entrypoint.layer.verify import verify
from entrypoint.lock.lock_file import Lock

SOURCE = """
static int hidden_step(int x) { return x * 2; }
int answer(void) { return hidden_step(21); }
"""
AARCH64 = 183
PT_LOAD = 1
SHT_NOBITS = 8


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("code")
    return shared_object(folder, source=SOURCE, flags=("-g", "-O0", "-Wl,--build-id", "-Wl,-rpath,$ORIGIN"))


def without_symbols(data):
    out = io.BytesIO()
    return out.getvalue() if write_without_symbols(io.BytesIO(data), out) else data


def symbols_in(data):
    return size_of_symbols(io.BytesIO(data))


def facts(data):
    return elf.read(io.BytesIO(data))


def image(data):
    return elf.image(io.BytesIO(data))


def answer(folder, content):
    """What the loader makes of a library, and its code of the question."""
    path = folder / "library.so"
    path.write_bytes(content)
    code = "import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).answer())"
    return subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=False
    ).stdout


def moved_to_the_end(library):
    """The same library as patchelf leaves it: its last loaded part stands behind the symbols."""
    data = bytearray(library)
    table, size, count = struct.unpack_from("<Q", data, 32)[0], 56, struct.unpack_from("<H", data, 56)[0]
    segments = {n: struct.unpack_from("<2I6Q", data, table + n * size) for n in range(count)}
    start, length, step = max((s[2], s[5], s[7]) for s in segments.values() if s[0] == PT_LOAD)
    by = -(-(len(data) - start) // step) * step
    data += bytes(start + by - len(data)) + data[start : start + length]
    for number, segment in segments.items():
        if start <= segment[2] < start + length:
            struct.pack_into("<Q", data, table + number * size + 8, segment[2] + by)
    sections, count = struct.unpack_from("<Q", data, 40)[0], struct.unpack_from("<H", data, 60)[0]
    for location in range(sections, sections + count * 64, 64):
        flags, _, offset = struct.unpack_from("<3Q", data, location + 8)
        if flags & 2 and start <= offset < start + length:
            struct.pack_into("<Q", data, location + 24, offset + by)
    return bytes(data)


def part_of(folder, files, **options):
    return laid_out(make_wheel(folder / "w", "pkg", "1.0", files=files, **options), folder / "cache")


def built(part, folder):
    smaller, refused = Strip(folder / "cache").applied(part)
    return unzipped(assemble([smaller], folder / "layer.zip").path), refused


def test_what_is_left_runs_and_nothing_else_is_left(library, tmp_path):
    smaller = without_symbols(library)
    assert len(smaller) < len(library)
    assert b"hidden_step" in library
    assert b"hidden_step" not in smaller
    assert (symbols_in(smaller), without_symbols(smaller)) == (0, smaller)
    assert facts(smaller) == facts(library)
    assert facts(smaller).search_path == ("$ORIGIN",)
    assert image(smaller) == image(library)
    assert answer(tmp_path, smaller) == "42\n"


def test_what_patchelf_moved_behind_the_symbols_moves_back(library, tmp_path):
    moved = moved_to_the_end(library)
    assert answer(tmp_path, moved) == "42\n"
    smaller = without_symbols(moved)
    assert len(smaller) <= len(library)
    assert image(smaller) == image(moved) == image(library)
    assert answer(tmp_path, smaller) == "42\n"


def test_tools_can_read_it(library, tmp_path):
    (tmp_path / "library.so").write_bytes(without_symbols(library))
    command = ["readelf", "--wide", "--all", tmp_path / "library.so"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert "answer" in said.stdout
    assert said.stderr == ""


@pytest.mark.parametrize(
    "flags",
    ["-static", "-static-pie", "-no-pie", "-Wl,-z,noseparate-code", "-Wl,-z,max-page-size=65536", "-Wl,-q"],
)
def test_programs_run(flags, tmp_path):
    (tmp_path / "code.c").write_text("int main(void) { static int zeros[99999]; return zeros[7] + 42; }")
    subprocess.run(["cc", "-g", flags, "-o", "program", "code.c"], cwd=tmp_path, check=True, timeout=60)
    program = tmp_path / "program"
    whole = program.read_bytes()
    program.write_bytes(without_symbols(whole))
    assert program.stat().st_size < len(whole)
    assert subprocess.run([program], timeout=60, check=False).returncode == 42
    said = subprocess.run(["readelf", "-aW", program], capture_output=True, text=True, check=True, timeout=60)
    assert said.stderr == ""


def test_zeros_that_the_headers_place_behind_the_end(library):
    """As in Go's programs: .bss has no bytes in the file, wherever its header says that it is."""
    table, count = struct.unpack_from("<Q", library, 40)[0], struct.unpack_from("<H", library, 60)[0]
    kinds = {n: struct.unpack_from("<I", library, table + n * 64 + 4)[0] for n in range(count)}
    location = next(table + number * 64 + 24 for number, kind in kinds.items() if kind == SHT_NOBITS)
    moved = library[:location] + struct.pack("<Q", len(library) + 1) + library[location + 8 :]
    assert image(without_symbols(moved)) == image(library)


def test_another_machine_s_files_too(library):
    other = for_machine(library, AARCH64)
    assert without_symbols(other) == for_machine(without_symbols(library), AARCH64)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data + b"payload", "there is data after the end of the ELF file"),
        (lambda data: data[:-64], "the header tables are outside the file"),
        (lambda data: data[:4] + b"\1" + data[5:], "it is not a 64-bit little-endian ELF file"),
        (lambda data: data[:56] + bytes(2) + data[58:], "the ELF header is not part of a loaded segment"),
        (lambda data: data[:54] + bytes(2) + data[56:], "the headers have an unknown size"),
    ],
)
def test_what_cannot_be_done_safely(library, change, reason):
    with pytest.raises(ValueError, match=reason):
        without_symbols(change(library))


@given(st.data())
def test_a_file_that_lies_is_refused_or_stays_the_same_to_the_loader(library, data):
    table = struct.unpack_from("<Q", library, 40)[0]
    headers = [*range(24, 24 + 11 * 56), *range(table, len(library))]
    broken = bytearray(library)
    for _ in range(data.draw(st.integers(1, 3))):
        broken[data.draw(st.sampled_from(headers))] = data.draw(st.integers(0, 255))
    try:
        smaller = without_symbols(bytes(broken))
        images = image(bytes(broken)), image(smaller)
    except ValueError:  # and the file stays as it is
        return
    assert images[0] == images[1]


def test_the_image_tells_what_would_be_loaded_differently(library):
    without_sections = library[:40] + bytes(8) + library[48:60] + bytes(4) + library[64:]
    assert image(without_sections) == image(library)

    table = struct.unpack_from("<Q", library, 32)[0]
    segments = {table + n * 56: struct.unpack_from("<2I6Q", library, table + n * 56) for n in range(8)}
    location, code = next(
        (location, part) for location, part in segments.items() if part[:2] == (PT_LOAD, 5)
    )  # r-x
    inside = code[2] + code[5] // 2
    assert image(library[:inside] + b"\xf4" + library[inside + 1 :]) != image(library)
    with pytest.raises(ValueError, match="not aligned"):
        image(library[: location + 8] + struct.pack("<Q", 8) + library[location + 16 :])


def test_a_wheel_s_libraries_and_what_record_says_of_them(library, tmp_path):
    files = {"pkg/code.so": library, "pkg/odd.so": library + b"payload", "pkg/__init__.py": "x = 1\n"}
    part = part_of(tmp_path, files)
    content, refused = built(part, tmp_path)
    assert content["python/pkg/code.so"] == without_symbols(library)
    assert content["python/pkg/odd.so"] == library + b"payload"
    assert refused == {"python/pkg/odd.so": "there is data after the end of the ELF file"}
    assert set(content) == {entry.path for entry in part.entries}

    record = content["python/pkg-1.0.dist-info/RECORD"].decode().splitlines()
    for path, digest, size in csv.reader(record[:-1]):
        data = content[f"python/{path}"]
        hashed = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        assert (digest, size) == (f"sha256={hashed}", str(len(data)))

    smaller, _ = Strip(tmp_path / "cache").applied(part)
    assert smaller.elf == part.elf
    assert [smaller.elf[f"python/pkg/{name}.so"].symbols > 0 for name in ("code", "odd")] == [False, True]


def test_a_large_library_is_not_held_in_memory(tmp_path):
    library = shared_object(
        tmp_path, source="static char zeros[40000000] = {1};\nchar *answer = zeros;", flags=("-g",)
    )
    wheel = make_wheel(tmp_path / "w", "pkg", "1.0", files={"pkg/code.so": library})
    part = laid_out(wheel, tmp_path / "cache")
    tracemalloc.start()
    try:
        smaller, refused = Strip(tmp_path / "cache").applied(part)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (refused, smaller.size < part.size) == ({}, True)
    assert peak < 15_000_000


def test_a_wheel_is_stripped_once(library, tmp_path):
    part = part_of(tmp_path, {"pkg/code.so": library, "pkg/odd.so": library + b"payload"})
    first = Strip(tmp_path / "cache").applied(part)
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.zip")}
    assert Strip(tmp_path / "cache").applied(part) == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.zip")} == written
    assert built(part, tmp_path / "elsewhere") == built(part, tmp_path)


@pytest.mark.parametrize("kind", ["archives/*/stripped.zip", "records/stripped/*/*"])
def test_what_was_cut_off_in_the_cache_is_made_anew(library, tmp_path, kind):
    part = part_of(tmp_path, {"pkg/code.so": library})
    first = Strip(tmp_path / "cache").applied(part)
    [kept] = (tmp_path / "cache").glob(kind)
    kept.write_bytes(kept.read_bytes()[:1])
    assert Strip(tmp_path / "cache").applied(part) == first


def test_what_has_no_symbols_is_left_alone(library, tmp_path):
    part = part_of(tmp_path, {"pkg/code.so": without_symbols(library), "pkg/__init__.py": ""})
    assert Strip(tmp_path / "cache").applied(part) == (part, {})
    assert not (tmp_path / "cache" / "records" / "stripped").exists()


def test_nothing_that_is_left_out_comes_back(library, tmp_path):
    whole = part_of(tmp_path, {"pkg/code.so": library, "pkg/other.so": library})
    part = Exclusion(["other.so"]).applied(whole)
    Strip(tmp_path / "cache").applied(whole)
    assert "python/pkg/other.so" not in built(part, tmp_path)[0]


def test_the_repository_s_programs_too(library, tmp_path):
    (tmp_path / "tools" / "bin").mkdir(parents=True)
    program = tmp_path / "tools" / "bin" / "tool"
    program.write_bytes(library)
    program.chmod(0o755)
    layer = target(content=tmp_path / "tools").layer
    smaller, refused = Strip(tmp_path / "cache").applied(repository_part(layer, repository_files(layer)))
    assert refused == {}
    [entry] = smaller.entries
    assert (entry.path, entry.executable, entry.size) == ("bin/tool", True, len(without_symbols(library)))


def test_the_setting_is_hashed_where_it_is_set():
    def hashed(**options):
        return dependency_hash(target(**options), Lock(platform=PYTHON313, pins=()), ())

    assert hashed() == hashed(strip=False) != hashed(strip=True)


def test_a_layer_that_is_too_large_is_told_of_it(tmp_path):
    source = "\n".join(f"int answer_{number}(int x) {{ return x + {number}; }}" for number in range(2000))
    library = shared_object(tmp_path, source=source, flags=("-g",))
    wheel = make_wheel(tmp_path / "w", "pkg", "1.0", files={"pkg/code.so": library})
    archive = assembled(tmp_path, wheel)
    [finding] = [each for each in verify(archive, target(size_budget=1000)) if each.rule == "size-budget"]
    symbols = f"{symbols_in(library) / 1e6:.1f}"
    assert f", or set 'strip: true', which saves {symbols} MB; the largest are pkg" in finding.hint

    smaller, _ = Strip(tmp_path / "cache").applied(archive.parts[0])
    archive = assemble([smaller], tmp_path / "smaller.zip")
    [finding] = [each for each in verify(archive, target(size_budget=1000)) if each.rule == "size-budget"]
    assert "strip" not in finding.hint


def test_the_manifest_asks_for_it(library, tmp_path):
    files = {"pkg/code.so": library, "pkg/odd.so": library + b"payload"}
    make_wheel(tmp_path / "packages", "pkg", "1.0", files=files)
    layer = {"requirements": ["pkg"], "runtimes": ["python3.13"], "bytecode": False, "strip": True}
    (tmp_path / "lambda-layers.yml").write_text(json.dumps({"version": 1, "layers": {"web": layer}}))
    with IndexServer(tmp_path / "packages") as index:
        environment = pip_environment(tmp_path / "home", PIP_INDEX_URL=index.url)
        arguments = ["build", "--cache", tmp_path / "cache"]
        result = command.run(arguments, folder=tmp_path, environment=environment)
    assert result.returncode == 0, result.stderr
    told = "python/pkg/odd.so of pkg-1.0-py3-none-any.whl keeps its symbols: there is data after the end of the ELF file"
    assert told in result.stderr
    content = unzipped(tmp_path / ".lambda-layers" / "build" / "web-python3.13-x86_64.zip")
    assert content["python/pkg/code.so"] == without_symbols(library)


@pytest.mark.network
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_real_wheels(machine, tmp_path):
    """Of those that patchelf repaired: llvm-strip 14 makes libraries of psycopg2-binary that do not load."""
    platforms = [f"--platform=manylinux_{version}_{machine}" for version in ("2_17", "2_27", "2_28")]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--dest", tmp_path / "wheels", "--python-version=3.13", *platforms]
    command += ["numpy==2.4.0", "psycopg2-binary==2.9.11", "cryptography==46.0.3"]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    saved = {}
    for wheel in (tmp_path / "wheels").iterdir():
        part = laid_out(wheel, tmp_path / "cache")
        smaller, refused = Strip(tmp_path / "cache").applied(part)
        assert (refused, smaller.elf) == ({}, part.elf)
        assert max(facts.symbols for facts in smaller.elf.values()) < 65536  # alignment takes up the rest
        saved[part.name] = part.size - smaller.size
    assert saved["numpy"] > 1_000_000
    assert saved["cryptography"] > 1_000_000
    assert saved["psycopg2_binary"] > 0 or machine == "aarch64"  # aligned to 64 KiB
