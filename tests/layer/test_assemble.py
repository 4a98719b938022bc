import base64
import csv
import hashlib
import io
import os
import subprocess
import sys
import zipfile
import zlib
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layers import assembled, laid_out, raw_wheel, unzipped
from package_index import make_wheel

from entrypoint.errors import ArchiveError
from entrypoint.layer.assemble import Conflict, assemble
from entrypoint.wheels.wheel import folders

SCHEMES = {
    "pkg/__init__.py": b"",
    "pkg-1.0.data/purelib/pure.py": b"pure = 1\n",
    "pkg-1.0.data/platlib/plat.py": b"plat = 1\n",
    "pkg-1.0.data/scripts/tool": b"#!python\nprint('tool')\n",
    "pkg-1.0.data/scripts/native": b"#!/bin/sh\n",
    "pkg-1.0.data/data/share/pkg/notes.txt": b"notes",
    "pkg-1.0.data/headers/pkg.h": b"int x;\n",
}


def test_a_wheel_goes_under_python(tmp_path):
    wheel = make_wheel(tmp_path, "pkg", "1.0", files={"pkg/__init__.py": b"x = 1\n" * 100})
    archive = assembled(tmp_path, wheel)
    content = unzipped(archive.path)
    assert content == {f"python/{name}": data for name, data in unzipped(wheel).items()}
    assert archive.unzipped_size == sum(map(len, content.values()))
    assert archive.compressed_size == archive.path.stat().st_size
    assert (
        archive.code_sha256 == base64.b64encode(hashlib.sha256(archive.path.read_bytes()).digest()).decode()
    )


def test_names_dates_and_modes_are_always_the_same(tmp_path):
    path = tmp_path / "pkg-1.0-py3-none-any.whl"
    with (
        zipfile.ZipFile(make_wheel(tmp_path, "pkg", "1.0")) as old,
        zipfile.ZipFile(path.with_suffix(".new"), "w") as new,
    ):
        for info in old.infolist():
            data = old.read(info)
            info.external_attr = 0o100000 << 16  # readable by nobody
            new.writestr(info, data)
        tool = zipfile.ZipInfo("pkg/tool", (2024, 5, 6, 7, 8, 9))
        tool.external_attr = 0o100711 << 16
        new.writestr(tool, b"#!/bin/sh\n")
    path.with_suffix(".new").replace(path)
    with zipfile.ZipFile(assembled(tmp_path, path).path) as archive:
        infos = archive.infolist()
    assert [info.filename for info in infos] == sorted(info.filename for info in infos)
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    modes = {info.filename: oct(info.external_attr >> 16) for info in infos}
    assert modes.pop("python/pkg/tool") == "0o100755"
    assert set(modes.values()) == {"0o100644"}


def test_the_same_wheels_give_the_same_bytes_in_any_order_and_place(tmp_path):
    wheels = [make_wheel(tmp_path / "w", name, "1.0") for name in ("alpha", "beta", "gamma")]
    first = assembled(tmp_path / "one", *wheels)
    second = assembled(tmp_path / "two", *reversed(wheels))
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.sha256 == second.sha256


def test_data_schemes_go_where_pip_puts_them(tmp_path):
    content = unzipped(assembled(tmp_path, make_wheel(tmp_path, "pkg", "1.0", files=SCHEMES)).path)
    assert content["python/pure.py"] == b"pure = 1\n"
    assert content["python/plat.py"] == b"plat = 1\n"
    assert content["python/share/pkg/notes.txt"] == b"notes"
    assert content["python/include/pkg/pkg.h"] == b"int x;\n"
    assert content["python/bin/tool"] == b"#!/var/lang/bin/python3.13\nprint('tool')\n"
    assert content["python/bin/native"] == b"#!/bin/sh\n"
    assert not any(".data/" in name for name in content)


def test_record_tells_of_what_moved(tmp_path):
    content = unzipped(assembled(tmp_path, make_wheel(tmp_path, "pkg", "1.0", files=SCHEMES)).path)
    rows = {
        row[0]: row[1:]
        for row in csv.reader(io.StringIO(content["python/pkg-1.0.dist-info/RECORD"].decode()))
    }
    assert set(rows) == {name.removeprefix("python/") for name in content}
    for name, (digest, size) in rows.items():
        if digest:
            data = content[f"python/{name}"]
            expected = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
            assert (digest, size) == (f"sha256={expected}", str(len(data)))


@pytest.mark.parametrize("record", [b"\xff", b'"' + b"x" * 200_000])
def test_a_record_that_cannot_be_read_is_refused_where_it_has_to_change(tmp_path, record):
    path = tmp_path / "pkg-1.0-py3-none-any.whl"
    raw_wheel(path, {"pkg.py": b"", "pkg-1.0.dist-info/RECORD": record})
    assert unzipped(assembled(tmp_path, path).path)["python/pkg-1.0.dist-info/RECORD"] == record
    raw_wheel(path, {"pkg-1.0.data/purelib/pkg.py": b"", "pkg-1.0.dist-info/RECORD": record})
    with pytest.raises(ArchiveError, match="cannot read RECORD"):
        assembled(tmp_path, path)


def test_empty_lines_of_a_record_are_no_files(tmp_path):
    path = tmp_path / "pkg-1.0-py3-none-any.whl"
    files = {
        "pkg-1.0.data/purelib/pkg.py": b"",
        "pkg-1.0.dist-info/RECORD": b"\npkg-1.0.data/purelib/pkg.py,,\n\n",
    }
    content = unzipped(assembled(tmp_path, raw_wheel(path, files)).path)
    assert content["python/pkg-1.0.dist-info/RECORD"] == b"pkg.py,,\n"


def test_it_equals_what_pip_installs(tmp_path):
    """The same files with the same content, but RECORD, pip's own marks, shebangs and C headers."""
    wheels = [
        make_wheel(tmp_path, "pkg", "1.0", files=SCHEMES),
        make_wheel(
            tmp_path,
            "other",
            "2.0",
            files={"other/deep/er/mod.py": b"y = 2\n", "other/data.bin": os.urandom(5000)},
        ),
    ]
    site = tmp_path / "site"
    command = [sys.executable, "-I", "-m", "pip", "install", "--no-deps", "--no-index", "--no-compile", "-q"]
    subprocess.run([*command, "--target", site, *wheels], check=True, timeout=120)
    installed = {
        f"python/{p.relative_to(site).as_posix()}": p.read_bytes() for p in site.rglob("*") if p.is_file()
    }
    ours = unzipped(assembled(tmp_path, *wheels).path)
    own = ("/RECORD", "/INSTALLER", "/REQUESTED", "/direct_url.json", "/bin/tool", "/pkg.h")
    assert {k: v for k, v in ours.items() if not k.endswith(own)} == {
        k: v for k, v in installed.items() if not k.endswith(own)
    }


def test_an_unknown_scheme_is_refused(tmp_path):
    wheel = make_wheel(tmp_path, "pkg", "1.0", files={"pkg-1.0.data/etc/passwd": b""})
    with pytest.raises(ArchiveError, match="is in the unknown scheme 'etc'"):
        assembled(tmp_path, wheel)


def test_a_wheel_without_a_record_is_refused(tmp_path):
    wheel = raw_wheel(tmp_path / "pkg-1.0-py3-none-any.whl", {"pkg/__init__.py": b""})
    with pytest.raises(ArchiveError, match=r"has 0 \.dist-info/RECORD files"):
        assembled(tmp_path, wheel)


def test_packages_that_share_a_file(tmp_path):
    same = [
        make_wheel(tmp_path, name, "1.0", files={"google/__init__.py": b"# namespace\n"})
        for name in ("a", "b")
    ]
    assert assembled(tmp_path, *same).conflicts == ()
    unlike = [make_wheel(tmp_path, name, "1.0", files={"tests/__init__.py": name}) for name in ("c", "d")]
    archive = assembled(tmp_path, *unlike)
    assert archive.conflicts == (Conflict(path="python/tests/__init__.py", origin=unlike[1].name),)
    assert unzipped(archive.path)["python/tests/__init__.py"] == b"d"


def test_a_forged_checksum_hides_no_conflict(tmp_path):
    files = [b"import os  # the honest module ####\n", b"import os; os.system('evil')  ##EHU\xdb"]
    assert zlib.crc32(files[0]) == zlib.crc32(files[1])
    wheels = [
        make_wheel(tmp_path, name, "1.0", files={"shared.py": file})
        for name, file in zip("ab", files, strict=True)
    ]
    (conflict,) = assembled(tmp_path, *wheels).conflicts
    assert conflict == Conflict(path="python/shared.py", origin=wheels[1].name)


def test_a_file_of_one_package_is_no_folder_of_another(tmp_path):
    wheels = [
        make_wheel(tmp_path, "a", "1.0", files={"x": b""}),
        make_wheel(tmp_path, "b", "1.0", files={"x/y.py": b""}),
    ]
    with pytest.raises(ArchiveError, match="python/x is a file in one package and a folder in another"):
        assembled(tmp_path, *wheels)


def test_large_files_come_out_whole(tmp_path):
    library = os.urandom(2_500_000)
    wheel = make_wheel(tmp_path, "pkg", "1.0", files={"pkg/library.so.1": library})
    assert unzipped(assembled(tmp_path, wheel).path)["python/pkg/library.so.1"] == library


def test_a_folder_deep_inside_another_is_known():
    assert folders(["a/b/c/d.py", "a/b/e.py", "f.py", "/g"]) == {"a", "a/b", "a/b/c"}


def test_nothing_is_left_behind_by_a_failure(tmp_path):
    wheel = make_wheel(tmp_path / "w", "pkg", "1.0", files={"pkg.py": b"x" * 10_000})
    part = laid_out(wheel, tmp_path / "cache")
    out = tmp_path / "out"
    out.mkdir()
    (out / "layer.zip").write_bytes(b"the one before")
    wheel.write_bytes(wheel.read_bytes()[:50])
    with pytest.raises(ArchiveError, match="is truncated within"):
        assemble([part], out / "layer.zip")
    assert [p.name for p in out.iterdir()] == ["layer.zip"]
    assert (out / "layer.zip").read_bytes() == b"the one before"


def test_more_members_than_the_short_directory_can_count(tmp_path):
    files = {f"pkg/m{number}.py": b"" for number in range(70_000)}
    archive = assembled(tmp_path, make_wheel(tmp_path, "pkg", "1.0", files=files))
    assert len(unzipped(archive.path)) == 70_003


paths = st.from_regex(r"[a-zà-ž0-9_]{1,8}(/[a-zà-ž0-9_]{1,8}){0,3}\.(py|so|txt)", fullmatch=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(files=st.dictionaries(paths, st.binary(max_size=3000), max_size=20))
def test_any_wheel_comes_out_as_it_went_in(tmp_path, files):
    prefixes = {"/".join(name.split("/")[:end]) for name in files for end in range(1, name.count("/") + 1)}
    files = {name: data for name, data in files.items() if name not in prefixes}
    wheel = make_wheel(tmp_path, "pkg", "1.0", files=files)
    content = unzipped(assembled(tmp_path, wheel).path)
    assert content == {f"python/{name}": data for name, data in unzipped(wheel).items()}


def test_packages_are_told_with_their_sizes(tmp_path):
    wheel = make_wheel(tmp_path, "pkg", "1.0", files={"pkg.py": b"x" * 1000})
    (part,) = assembled(tmp_path, wheel).parts
    assert (part.name, part.origin) == ("pkg", wheel.name)
    assert part.size == sum(map(len, unzipped(wheel).values()))


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../out.py", "python/../../out.py", "python//x.py", "python/./x.py", "python\\x.py", ""],
)
def test_no_path_leads_out_of_a_layer(tmp_path, path):
    part = laid_out(make_wheel(tmp_path / "w", "pkg", "1.0"), tmp_path / "cache")
    entries = (*part.entries[:-1], replace(part.entries[-1], path=path))
    with pytest.raises(ArchiveError, match="is not a path inside a layer"):
        assemble([replace(part, entries=entries)], tmp_path / "layer.zip")
    assert not (tmp_path / "layer.zip").exists()
