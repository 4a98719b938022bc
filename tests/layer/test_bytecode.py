import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from layers import PYTHON313, laid_out, target, unzipped
from package_index import make_wheel

from entrypoint.errors import CompileError
from entrypoint.layer.assemble import assemble
from entrypoint.layer.bytecode import Bytecode
from entrypoint.layer.dependency_hash import dependency_hash
from entrypoint.layer.interpreters import InstalledInterpreter, find_interpreter
from entrypoint.layer.repository_files import repository_files
from entrypoint.layer.repository_part import repository_part
from entrypoint.lock.lock_file import Lock
from entrypoint.manifest.runtimes import RUNTIMES

HERE = InstalledInterpreter(version=sys.version_info[:2], executable=Path(sys.executable))
TAG = sys.implementation.cache_tag
FILES = {
    "pkg/__init__.py": "VALUE = 6 * 7\n",
    "pkg/deep/mod.py": "def f(x):\n    return {x, 'a', 'b'}\n",
    "pkg/template.py": "class {{ name }}: pass\n",
    "pkg/latin.py": "# -*- coding: latin-1 -*-\nNAME = '\xe9'\n".encode("latin-1"),
    "pkg/data.txt": "text",
}


@pytest.fixture
def part(tmp_path):
    return laid_out(make_wheel(tmp_path / "w", "pkg", "1.0", files=FILES), tmp_path / "cache")


def built(part, folder):
    return unzipped(
        assemble([Bytecode(folder / "cache", lambda: None).added(part, HERE)], folder / "layer.zip").path
    )


def test_every_module_that_compiles_gets_its_bytecode(part, tmp_path):
    content = built(part, tmp_path)
    made = {name for name in content if name.endswith(".pyc")}
    assert made == {
        f"python/pkg/__pycache__/__init__.{TAG}.pyc",
        f"python/pkg/deep/__pycache__/mod.{TAG}.pyc",
        f"python/pkg/__pycache__/latin.{TAG}.pyc",
    }
    assert set(content) - made == {entry.path for entry in part.entries}
    assert all(content[name][:4] == importlib.util.MAGIC_NUMBER for name in made)
    assert all(content[name][4:8] == b"\1\0\0\0" for name in made)  # unchecked-hash


def test_python_takes_it_whatever_the_date_and_writes_none(part, tmp_path):
    opt = tmp_path / "opt"
    for name, data in built(part, tmp_path).items():
        path = opt / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (315532800, 315532800))
    (opt / "python" / "pkg" / "__init__.py").write_text("raise SystemExit('the source was read')\n")
    code = "import sys; sys.path.insert(0, sys.argv[1]); import pkg; print(pkg.VALUE)"
    command = [sys.executable, "-I", "-c", code, str(opt / "python")]
    assert subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout == "42\n"


def test_the_same_bytes_from_anywhere(tmp_path):
    archives = []
    for name in ("one", "another/place"):
        wheel = make_wheel(tmp_path / name, "pkg", "1.0", files=FILES)
        archives.append(built(laid_out(wheel, tmp_path / name), tmp_path / name))
    assert archives[0] == archives[1]


def test_a_wheel_is_compiled_once(part, tmp_path):
    first = built(part, tmp_path)
    broken = InstalledInterpreter(version=HERE.version, executable=Path("/nowhere/python"))
    again = Bytecode(tmp_path / "cache", lambda: None).added(part, broken)
    assert unzipped(assemble([again], tmp_path / "again.zip").path) == first
    with pytest.raises(CompileError, match="/nowhere/python cannot compile the modules"):
        Bytecode(tmp_path / "empty", lambda: None).added(part, broken)


def test_what_was_cut_off_in_the_cache_is_compiled_anew(part, tmp_path):
    first = built(part, tmp_path)
    [kept] = (tmp_path / "cache").rglob("bytecode.zip")
    kept.write_bytes(kept.read_bytes()[:100])
    assert built(part, tmp_path) == first


def test_a_package_s_own_bytecode_is_replaced(tmp_path):
    stale = f"pkg/__pycache__/__init__.{TAG}.pyc"
    wheel = make_wheel(tmp_path / "w", "pkg", "1.0", files={"pkg/__init__.py": "x = 1\n", stale: b"stale"})
    content = built(laid_out(wheel, tmp_path / "cache"), tmp_path)
    assert content[f"python/{stale}"] != b"stale"


def test_the_repository_s_modules_too(tmp_path):
    (tmp_path / "one.py").write_text("x = 1\n")
    layer = target(include=(tmp_path / "one.py",)).layer
    before = built(repository_part(layer, repository_files(layer)), tmp_path)
    assert f"python/__pycache__/one.{TAG}.pyc" in before
    (tmp_path / "one.py").write_text("x = 2\n")
    after = built(repository_part(layer, repository_files(layer)), tmp_path)
    assert after[f"python/__pycache__/one.{TAG}.pyc"] != before[f"python/__pycache__/one.{TAG}.pyc"]


def test_finding_an_interpreter(tmp_path):
    own = RUNTIMES[f"python3.{sys.version_info[1]}"]
    shim = tmp_path / "python3"
    shim.write_text("#!/bin/sh\necho 'no such version' >&2\nexit 127\n")
    shim.chmod(0o755)
    assert find_interpreter(own, [tmp_path / "nowhere", shim, Path(sys.executable)]) == HERE
    assert find_interpreter(own, [shim]) is None
    other = next(runtime for name, runtime in RUNTIMES.items() if name != str(own))
    assert find_interpreter(other, [Path(sys.executable)]) is None
    assert find_interpreter(RUNTIMES["provided.al2023"], [Path(sys.executable)]) is None


def test_the_setting_is_hashed_and_not_what_was_at_hand():
    hashes = [
        dependency_hash(target(bytecode=setting), Lock(platform=PYTHON313, pins=()), ())
        for setting in (None, True, False)
    ]
    assert len(set(hashes)) == 3
