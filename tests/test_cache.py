"""What a cache may hold that is not ours: cut off, replaced, forged with another machine's key."""

import hashlib
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import command
import pytest
from layers import inspected, laid_out, shared_object, unzipped
from package_index import IndexServer, make_sdist, make_wheel, pip_environment, sha256

from entrypoint.cache import Cache, CacheEntry, Made, machine_key
from entrypoint.errors import Location
from entrypoint.index.options import IndexOptions
from entrypoint.layer.assemble import assemble
from entrypoint.layer.bytecode import Bytecode
from entrypoint.layer.interpreters import InstalledInterpreter
from entrypoint.layer.strip import Strip
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform
from entrypoint.wheels.build_environment import BuildEnvironment, BuildResult
from entrypoint.wheels.build_plan import BuildPlan, BuildRequirements
from entrypoint.wheels.fetch import Sdist
from entrypoint.wheels.source_builds import Compiler

PYTHON = InstalledInterpreter(version=sys.version_info[:2], executable=Path(sys.executable))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Run a function as another machine would, whose key is another."""

    def elsewhere(work):
        with monkeypatch.context() as context:
            context.setenv("XDG_STATE_HOME", str(tmp_path / "another-machine"))
            return work()

    return elsewhere


@pytest.fixture
def made(folder):
    """Make the entry of a key, or find it: the entry, and how often it was made."""
    calls = []

    def made(key="key"):
        def make(place):
            calls.append(key)
            (place / "data.zip").write_bytes(b"content of " + key.encode())
            return Made(facts={"of": key}, file=place / "data.zip")

        return Cache(folder).get_or_make("kind/1", key, make), len(calls)

    return made


class TestEntries:
    def test_one_is_made_once_and_found_by_every_object(self, made, folder):
        first, _ = made()
        assert made() == (first, 1)
        assert first.facts == {"of": "key"}
        assert first.path.read_bytes() == b"content of key"
        assert first.path == folder / "archives" / sha256(first.path) / "data.zip"
        assert stat.S_IMODE(first.path.stat().st_mode) == 0o644
        assert list((folder / "incoming").iterdir()) == []

    def test_facts_alone_need_no_file(self, folder):
        cache = Cache(folder)
        first = cache.get_or_make("kind", "key", lambda _: Made(facts=(1, ("a",))))
        assert first == CacheEntry(facts=[1, ["a"]])
        assert cache.get("kind", "key") == first

    @pytest.mark.parametrize(
        "damage",
        [
            lambda _: b"",
            lambda data: data[:-1],
            lambda data: data + b" ",
            lambda data: data.replace(b"key", b"kez"),
            lambda data: b"0" * 64 + data[64:],
            lambda data: data.partition(b"\n")[2],
            lambda _: b"\xff" * 100,
        ],
        ids=["empty", "cut off", "longer", "replaced", "another signature", "unsigned", "not text"],
    )
    def test_a_record_that_was_changed_is_not_used(self, made, folder, damage):
        first, _ = made()
        record = folder / "records" / "kind" / "1" / "key"
        record.write_bytes(damage(record.read_bytes()))
        assert made() == (first, 2)
        assert made() == (first, 2)

    @pytest.mark.parametrize("data", [b"", b"content of ke", b"content of kez", b"content of keyy"])
    def test_a_file_that_was_changed_is_not_used(self, made, data):
        first, _ = made()
        made()
        first.path.write_bytes(data)
        assert made() == (first, 2)
        assert first.path.read_bytes() == b"content of key"

    def test_a_file_that_was_checked_long_ago_is_checked_again_when_it_changes(self, made):
        first, _ = made()
        os.utime(first.path, (315532800, 315532800))
        made()
        first.path.write_bytes(b"content of kez")
        os.utime(first.path, (315532800, 315532800))
        assert made() == (first, 2)

    def test_a_file_that_is_gone_is_made_again(self, made, folder):
        first, _ = made()
        shutil.rmtree(folder / "archives")
        assert made() == (first, 2)

    @pytest.mark.parametrize("place", ["kind/1/another", "kind/2/key"])
    def test_a_record_serves_only_its_own_kind_and_key(self, made, folder, place):
        made()
        record = folder / "records" / place
        record.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "records" / "kind" / "1" / "key", record)
        kind, _, key = place.rpartition("/")
        assert Cache(folder).get(kind, key) is None

    def test_a_record_of_another_machine_is_not_used_and_its_checked_files_are(self, made, folder, elsewhere):
        first, _ = elsewhere(made)
        assert Cache(folder).get("kind/1", "key") is None
        assert Cache(folder).find_file("archives", first.sha256, "data.zip") == first.path
        assert made() == (first, 2)

    def test_what_fails_leaves_nothing_behind(self, folder):
        def fail(place):
            (place / "half").write_bytes(b"half")
            raise RuntimeError

        with pytest.raises(RuntimeError):
            Cache(folder).get_or_make("kind", "key", fail)
        assert [path for path in folder.rglob("*") if path.is_file()] == []
        assert Cache(folder).get("kind", "key") is None

    @pytest.mark.parametrize("name", ["cache", "cache/records", "cache/incoming"])
    def test_a_folder_that_cannot_be_written_to_is_an_error_that_names_it(self, made, tmp_path, name):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("a file")
        with pytest.raises(OSError, match=str(tmp_path / name)):
            made()


class TestAtOnce:
    def test_threads_make_one_entry_once_and_others_meanwhile(self, folder):
        def slowly(key):
            def make(_):
                calls.append(key)
                assert both.wait(timeout=30) >= 0
                return Made(facts=key)

            return Cache(folder).get_or_make("kind", key, make).facts

        calls, both = [], threading.Barrier(2)
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(slowly, "abababab")) == list("abababab")
        assert sorted(calls) == ["a", "b"]

    def test_a_reader_never_meets_half_an_entry_of_another_process(self, folder):
        script = (
            "import sys, itertools\n"
            "from pathlib import Path\n"
            "from entrypoint.cache import Cache, Made\n"
            "def make(folder):\n"
            "    (folder / 'data.zip').write_bytes(bytes(1 << 20))\n"
            "    return Made(facts=['x' * 100_000], file=folder / 'data.zip')\n"
            "for number in itertools.count():\n"
            "    Cache(Path(sys.argv[1])).make('kind', 'key', make)\n"
            "    print(number, flush=True)\n"
        )
        writers = [
            subprocess.Popen([sys.executable, "-c", script, folder], stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        try:
            for writer in writers:
                assert writer.stdout.readline() == "0\n"
            cache = Cache(folder)
            assert all(cache.get("kind", "key") for _ in range(200))
        finally:
            for writer in writers:
                writer.kill()
                writer.communicate()


class TestKey:
    def test_it_is_made_once_for_its_user_alone(self, folder, tmp_path):
        environment = {"HOME": str(tmp_path / "home")}
        key = machine_key(outside=folder, environment=environment)
        (path,) = (path for path in (tmp_path / "home").rglob("*") if path.is_file())
        assert path == tmp_path / "home" / ".local" / "state" / "lambda-layers" / "cache.key"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_bytes() == key
        assert machine_key(outside=folder, environment=environment) == key
        other = machine_key(outside=folder, environment={"XDG_STATE_HOME": str(tmp_path / "state")})
        assert len(key) == len(other) == 32
        assert other != key

    @pytest.mark.parametrize("damage", [lambda p: p.chmod(0o644), lambda p: p.write_bytes(b"short")])
    def test_one_that_others_may_know_is_replaced(self, folder, tmp_path, damage):
        environment = {"HOME": str(tmp_path)}
        key = machine_key(outside=folder, environment=environment)
        path = tmp_path / ".local" / "state" / "lambda-layers" / "cache.key"
        damage(path)
        new = machine_key(outside=folder, environment=environment)
        assert new != key
        assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (new, 0o600)

    @pytest.mark.parametrize(
        "environment",
        [{}, {"HOME": ""}, {"HOME": "/proc/nowhere"}, {"XDG_STATE_HOME": "relative"}],
    )
    def test_without_a_home_it_lasts_as_long_as_the_process(self, folder, environment):
        key = machine_key(outside=folder, environment=environment)
        assert machine_key(outside=folder, environment={}) == key
        script = "from entrypoint.cache import *; print(machine_key(outside=Path('c'), environment={}).hex())"
        said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert said.stdout.strip() != key.hex()

    def test_it_never_lies_in_the_cache(self, folder):
        environment = {"XDG_STATE_HOME": str(folder / "state")}
        assert machine_key(outside=folder, environment=environment) == machine_key(
            outside=folder, environment={}
        )
        assert not folder.exists()

    def test_a_link_in_its_place_is_not_followed(self, folder, tmp_path):
        place = tmp_path / "lambda-layers"
        place.mkdir()
        (tmp_path / "known").write_bytes(b"k" * 32)
        (place / "cache.key").symlink_to(tmp_path / "known")
        assert machine_key(outside=folder, environment={"XDG_STATE_HOME": str(tmp_path)}) != b"k" * 32

    @pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give files away")
    def test_one_of_another_user_is_not_used(self, folder, tmp_path):
        environment = {"XDG_STATE_HOME": str(tmp_path)}
        known = machine_key(outside=folder, environment=environment)
        os.chown(tmp_path / "lambda-layers" / "cache.key", 1234, 1234)
        assert machine_key(outside=folder, environment=environment) != known
        assert machine_key(outside=folder, environment=environment) == machine_key(
            outside=folder, environment={}
        )

    def test_processes_that_start_at_once_share_one(self, tmp_path):
        script = "from entrypoint.cache import *; print(machine_key(outside=Path('c')).hex())"
        environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
        command = [sys.executable, "-c", script]
        starting = [
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(6)
        ]
        keys = {process.communicate(timeout=60)[0] for process in starting}
        assert keys == {(tmp_path / "lambda-layers" / "cache.key").read_bytes().hex() + "\n"}


@pytest.fixture
def forge(folder, elsewhere):
    """Change records and files of a kind so that all digests agree again, signed with another key."""

    def forge(kind, *, facts=lambda facts: facts, content=None):
        cache = Cache(folder)
        records = [path for path in (folder / "records" / kind).rglob("*") if path.is_file()]
        assert records
        for record in records:
            key = record.relative_to(folder / "records" / kind).as_posix()
            entry = cache.get(kind, key)
            assert entry

            def make(place, entry=entry):
                if content is None:
                    return Made(facts=facts(entry.facts))
                (place / entry.path.name).write_bytes(content(entry.path.read_bytes()))
                store = entry.path.parent.parent.name
                return Made(facts=facts(entry.facts), file=place / entry.path.name, store=store)

            forged = elsewhere(lambda key=key, make=make: Cache(folder).make(kind, key, make))
            assert elsewhere(lambda key=key: Cache(folder).get(kind, key)) == forged

    return forge


def rezipped(change):
    """Change the content of every member of a zip file."""

    def rezip(data):
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(out, "w") as changed:
            for info in archive.infolist():
                changed.writestr(zipfile.ZipInfo(info.filename), change(archive.read(info)))
        return out.getvalue()

    return rezip


class TestWhatBecomesALayer:
    """Through the functions that build one: nothing that was put into the cache reaches the archive."""

    @pytest.fixture
    def part(self, tmp_path, folder):
        library = shared_object(tmp_path, flags=("-g",))
        files = {"pkg/__init__.py": "VALUE = 1\n", "pkg/code.so": library}
        return laid_out(make_wheel(tmp_path / "w", "pkg", "1.0", files=files), folder)

    @pytest.fixture
    def built(self, part, folder, tmp_path):
        def built():
            smaller, _ = Strip(folder).applied(part)
            whole = Bytecode(folder, lambda: None).added(smaller, PYTHON)
            return unzipped(assemble([whole], tmp_path / "layer.zip").path)

        return built

    @pytest.mark.parametrize(("kind", "suffix"), [("bytecode/1", ".pyc"), ("stripped/1", ".so")])
    def test_forged_files_are_not_used(self, built, forge, kind, suffix):
        first = built()
        assert any(name.endswith(suffix) for name in first)
        forge(kind, content=rezipped(lambda content: content[:16] + b"EVIL" + content[20:]))
        assert built() == first

    @pytest.mark.parametrize("name", ["bytecode.zip", "stripped.zip"])
    def test_files_that_were_changed_in_their_place_are_not_used(self, built, folder, name):
        first = built()
        (path,) = (folder / "archives").rglob(name)
        path.write_bytes(rezipped(lambda content: content[:16] + b"EVIL" + content[20:])(path.read_bytes()))
        assert built() == first

    def test_forged_facts_are_not_used(self, tmp_path, folder, forge):
        wheel = make_wheel(tmp_path / "w", "pkg", "1.0", files={"pkg/__init__.py": "x = 1\n"})
        first = inspected(wheel, folder)

        def outward(facts):
            members = [["../../evil.py", *member[1:]] for member in facts["members"]]
            return facts | {"members": members, "requires": ["evil"]}

        forge("inspected/7", facts=outward)
        assert inspected(wheel, folder) == first

    def test_a_forged_wheel_is_built_again(self, tmp_path, folder, forge):
        platform = Platform(RUNTIMES["python3.13"], Architecture.ARM64)
        source = make_sdist(tmp_path / "sdists", "thing", "1.0")
        wheel = make_wheel(tmp_path / "out", "thing", "1.0", tag="cp313-cp313-linux_aarch64")

        def build(builders):
            sdist = Sdist(
                name="thing",
                version="1.0",
                filename=source.name,
                sha256=sha256(source),
                path=source,
                location=Location("lock.txt", 1),
            )
            requirements = BuildRequirements(index=None, engine=None, cache=folder)
            compiler = Compiler(builders, requirements, cache=folder, say=lambda _: None, warn=print)
            place = BuildEnvironment(platform=platform, image="builder")
            plan = BuildPlan(environment=place, options=IndexOptions(), wanted_by="web")
            return compiler.wheel(sdist, plan)

        builders = Builders(wheel)
        first = build(builders)
        assert build(builders) == first
        assert builders.built == 1
        forge("built/2", content=lambda data: data + b"evil")
        again = build(builders)
        assert again == first
        assert again.path.read_bytes() == wheel.read_bytes()
        assert builders.built == 2
        builders.is_known = False
        assert build(builders) == first

    def test_the_command_publishes_no_bytecode_but_its_own(self, tmp_path, folder):
        runtime = f"python3.{sys.version_info[1]}"
        make_wheel(tmp_path / "packages", "pkg", "1.0", files={"pkg/__init__.py": "VALUE = 1\n"})
        layer = {"requirements": ["pkg"], "runtimes": [runtime], "bytecode": True}
        (tmp_path / "lambda-layers.yml").write_text(json.dumps({"version": 1, "layers": {"web": layer}}))
        archive = tmp_path / ".lambda-layers" / "build" / f"web-{runtime}-x86_64.zip"
        with IndexServer(tmp_path / "packages") as index:
            environment = pip_environment(tmp_path / "home", PIP_INDEX_URL=index.url)
            contents = []
            for _ in range(2):
                made = command.run(["build", "--cache", folder], folder=tmp_path, environment=environment)
                assert made.returncode == 0, made.stderr
                contents.append(unzipped(archive))
                for kept in (folder / "archives").rglob("*.zip"):
                    kept.write_bytes(rezipped(lambda content: content[:-4] + b"EVIL")(kept.read_bytes()))
        assert contents[0] == contents[1]
        assert any(name.endswith(".pyc") for name in contents[0])


class Builders:
    """Offers one builder, which is itself; it leaves a wheel that is there already."""

    name = identity_of = "builder"
    python = "python3.13"

    def __init__(self, wheel):
        self.wheel = wheel
        self.built = 0
        self.is_known = True

    def identity(self, _):
        return "builder" if self.is_known else None

    def open(self, *_):
        return Opened(self)


class Opened:
    name = identity = "builder"
    python = "python3.13"

    def __init__(self, builders):
        self.builders = builders

    def run(self, *_, results, **__):
        self.builders.built += 1
        wheel = self.builders.wheel
        (results / "answer.json").write_text(json.dumps({"wheel": wheel.name}))
        files = {"answer.json": results / "answer.json", wheel.name: shutil.copy(wheel, results / wheel.name)}
        return BuildResult(code=0, output="", files=files)


def test_a_digest_is_of_the_file_and_not_of_its_folder(folder):
    path = folder / "wheels" / hashlib.sha256(b"a").hexdigest() / "a.whl"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"b")
    assert Cache(folder).filenames("wheels", path.parent.name) == ("a.whl",)
    assert Cache(folder).find_file("wheels", path.parent.name, "a.whl") is None
