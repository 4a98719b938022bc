import hashlib
import os
import threading
from collections import Counter
from dataclasses import replace

import pytest
from package_index import make_sdist, make_wheel, sha256

from entrypoint.errors import Diagnostic, FetchError, Location
from entrypoint.index.candidates import IndexFile
from entrypoint.index.options import IndexOptions
from entrypoint.index.pin import Pin
from entrypoint.lock.lock_file import Lock
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform
from entrypoint.wheels.fetch import Sdist, fetch

ARM_313 = Platform(RUNTIMES["python3.13"], Architecture.ARM64)
X86_39 = Platform(RUNTIMES["python3.9"], Architecture.X86_64)
PLACE = Location("lock.txt", 1)


class ShelfIndex:
    """An index over a folder that remembers what it was asked, and fails where it was told to."""

    def __init__(self, folder):
        self.folder = folder
        self.asked = Counter()
        self.downloads = Counter()
        self.broken = set()
        self.lists_hashes = True
        self.interrupted = self.endless = None
        self.begun = threading.Event()

    def files(self, name):
        self.asked[name] += 1
        if name in self.broken:
            raise FetchError(Diagnostic(f"{name} cannot be reached", "run it again"))
        paths = sorted(self.folder.glob(f"{name}-*"))
        return tuple(
            IndexFile(
                filename=path.name,
                url=path.as_uri(),
                sha256=sha256(path) if self.lists_hashes else None,
                size=path.stat().st_size,
            )
            for path in paths
        )

    def download(self, file, destination, *, received=None):
        self.downloads[file.filename] += 1
        data = (self.folder / file.filename).read_bytes()
        if self.interrupted == file.filename:
            self.begun.wait()
            raise KeyboardInterrupt
        with destination.open("wb") as out:
            while self.endless == file.filename:
                received(out.write(b"x"))
                self.begun.set()
            for start in range(0, len(data), 100):
                out.write(data[start : start + 100])
                received(len(data[start : start + 100]))
        return hashlib.sha256(data).hexdigest()


@pytest.fixture
def shelf(tmp_path):
    (tmp_path / "shelf").mkdir()
    return ShelfIndex(tmp_path / "shelf")


def pin(name, *paths, version="1.0", hashes=()):
    allowed = {*hashes, *(f"sha256:{sha256(path)}" for path in paths)}
    return Pin(name=name, version=version, hashes=frozenset(allowed), location=PLACE)


def lock_of(*pins, ours=True):
    return Lock(platform=ARM_313, pins=pins, inputs="sha256:0" if ours else None)


def files_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_wheels_come_into_the_cache_by_their_hash(shelf, tmp_path):
    one, two = make_wheel(shelf.folder, "one", "1.0"), make_wheel(shelf.folder, "two", "1.0")
    wheels = fetch(lock_of(pin("one", one), pin("two", two)), ARM_313, index=shelf, cache=tmp_path / "cache")
    assert [(wheel.name, wheel.version, wheel.filename, wheel.sha256) for wheel in wheels] == [
        ("one", "1.0", one.name, sha256(one)),
        ("two", "1.0", two.name, sha256(two)),
    ]
    assert [wheel.path.read_bytes() for wheel in wheels] == [one.read_bytes(), two.read_bytes()]
    expected = [f"wheels/{sha256(path)}/{path.name}" for path in (one, two)]
    assert files_below(tmp_path / "cache") == sorted(expected)


def test_what_is_cached_asks_no_index(shelf, tmp_path):
    lock = lock_of(pin("one", make_wheel(shelf.folder, "one", "1.0")))
    first = fetch(lock, ARM_313, index=shelf, cache=tmp_path / "cache")
    again = fetch(lock, ARM_313, index=shelf, cache=tmp_path / "cache")
    assert again == first
    assert (shelf.asked["one"], shelf.downloads.total()) == (1, 1)


def test_a_cached_file_that_was_tampered_with_is_fetched_again(shelf, tmp_path):
    lock = lock_of(pin("one", make_wheel(shelf.folder, "one", "1.0")))
    (wheel,) = fetch(lock, ARM_313, index=shelf, cache=tmp_path / "cache")
    wheel.path.write_bytes(b"something else")
    (again,) = fetch(lock, ARM_313, index=shelf, cache=tmp_path / "cache")
    assert sha256(again.path) == wheel.sha256
    assert shelf.downloads.total() == 2


def test_what_others_put_into_the_cache_is_a_miss(shelf, tmp_path):
    """A name that is no wheel's, and a pipe in the place of a file."""
    wheel = make_wheel(shelf.folder, "one", "1.0")
    folder = tmp_path / "cache" / "wheels" / sha256(wheel)
    folder.mkdir(parents=True)
    (folder / "one-1.0.tar.gz").write_bytes(b"")
    os.mkfifo(folder / wheel.name)
    (fetched,) = fetch(lock_of(pin("one", wheel)), ARM_313, index=shelf, cache=tmp_path / "cache")
    assert fetched.path.read_bytes() == wheel.read_bytes()


def test_what_another_platform_left_in_the_cache_changes_no_choice(shelf, tmp_path):
    plain = make_wheel(shelf.folder, "one", "1.0")
    better = make_wheel(shelf.folder, "one", "1.0", tag="cp313-cp313-manylinux_2_17_aarch64")
    lock = lock_of(pin("one", plain, better), ours=False)
    for _ in range(2):
        (old,) = fetch(lock, X86_39, index=shelf, cache=tmp_path / "cache")
        (new,) = fetch(lock, ARM_313, index=shelf, cache=tmp_path / "cache")
        assert (old.filename, new.filename) == (plain.name, better.name)
    assert shelf.asked["one"] == 2  # once for each platform, then the choice is remembered


def test_a_lock_without_hashes_asks_the_index_but_downloads_once(shelf, tmp_path):
    make_wheel(shelf.folder, "one", "1.0")
    for _ in range(2):
        fetch(lock_of(pin("one"), ours=False), ARM_313, index=shelf, cache=tmp_path / "cache")
    assert (shelf.asked["one"], shelf.downloads.total()) == (2, 1)


def test_an_index_without_hashes_is_checked_after_the_download(shelf, tmp_path):
    shelf.lists_hashes = False
    one = make_wheel(shelf.folder, "one", "1.0")
    (wheel,) = fetch(lock_of(pin("one", one)), ARM_313, index=shelf, cache=tmp_path / "cache")
    assert wheel.path.parent.name == sha256(one)
    with pytest.raises(FetchError) as caught:
        fetch(lock_of(pin("one", hashes=["sha256:abc"])), ARM_313, index=shelf, cache=tmp_path / "other")
    assert str(caught.value) == (
        f"lock.txt:1: {one.name} does not match the lock: expected sha256:abc, "
        f"got sha256:{sha256(one)}; find out why the index serves a different file; "
        "if it is correct, run: lambda-layers lock"
    )
    assert files_below(tmp_path / "other") == []


def test_the_problems_of_all_pins_are_told_at_once(shelf, tmp_path):
    make_wheel(shelf.folder, "good", "1.0")
    make_wheel(shelf.folder, "windows", "1.0", tag="cp313-cp313-win_amd64")
    make_wheel(shelf.folder, "changed", "1.0")
    shelf.broken.add("broken")
    pins = (
        pin("good"),
        pin("windows"),
        pin("absent"),
        pin("changed", hashes=["sha256:abc"]),
        pin("broken"),
    )
    with pytest.raises(FetchError) as caught:
        fetch(lock_of(*pins), ARM_313, index=shelf, cache=tmp_path / "cache")
    assert [problem.message.split(":")[0] for problem in caught.value.problems] == [
        "windows==1.0 has no compatible wheel for python3.13-arm64",
        "package absent not found in any index",
        "the hash of changed-1.0-py3-none-any.whl does not match the lock",
        "broken cannot be reached",
    ]


def test_progress_hears_of_every_byte_and_of_the_end(shelf, tmp_path):
    one = make_wheel(shelf.folder, "one", "1.0")
    heard = []
    fetch(lock_of(pin("one", one)), ARM_313, index=shelf, cache=tmp_path / "cache", progress=heard.append)
    size = one.stat().st_size
    assert [event.received for event in heard[:2]] == [100, 200]
    assert (heard[-1].filename, heard[-1].received, heard[-1].size, heard[-1].done) == (
        one.name,
        size,
        size,
        True,
    )


def test_an_interrupt_ends_the_other_downloads_and_leaves_nothing_partial(shelf, tmp_path):
    shelf.endless = make_wheel(shelf.folder, "endless", "1.0").name
    shelf.interrupted = make_wheel(shelf.folder, "quick", "1.0").name
    with pytest.raises(KeyboardInterrupt):
        fetch(lock_of(pin("endless"), pin("quick")), ARM_313, index=shelf, cache=tmp_path / "cache")
    assert files_below(tmp_path / "cache") == []


class TestSources:
    def test_one_that_is_asked_for_and_is_found_again_without_the_index(self, shelf, tmp_path):
        make_wheel(shelf.folder, "one", "1.0")
        source = make_sdist(shelf.folder, "one", "1.0")
        lock = lock_of(replace(pin("one", source), from_source=True))
        (first,) = fetch(lock, ARM_313, index=shelf, cache=tmp_path / "cache")
        assert first == Sdist(
            name="one",
            version="1.0",
            filename="one-1.0.tar.gz",
            sha256=sha256(source),
            path=tmp_path / "cache" / "sdists" / sha256(source) / "one-1.0.tar.gz",
            location=PLACE,
        )
        shelf.broken.add("one")
        assert fetch(lock, ARM_313, index=shelf, cache=tmp_path / "cache") == (first,)
        first.path.write_bytes(b"poisoned")
        with pytest.raises(FetchError, match="one cannot be reached"):
            fetch(lock, ARM_313, index=shelf, cache=tmp_path / "cache")

    @pytest.mark.parametrize("listed", [True, False])
    def test_one_that_is_not_what_the_lock_allows(self, shelf, tmp_path, listed):
        shelf.lists_hashes = listed
        make_sdist(shelf.folder, "one", "1.0")
        lock = lock_of(replace(pin("one", hashes=["sha256:abc"]), from_source=True))
        message = "does not match the lock"
        with pytest.raises(FetchError, match=message):
            fetch(lock, ARM_313, index=shelf, cache=tmp_path / "cache")

    def test_our_own_lock_decides_what_is_compiled_when_it_is_made(self, shelf, tmp_path):
        """A wheel that vanished from the index does not turn into a build that nobody asked for."""
        source = make_sdist(shelf.folder, "one", "1.0")
        with pytest.raises(FetchError, match=r"one==1\.0 has no wheels, only a source distribution"):
            fetch(lock_of(pin("one", source)), ARM_313, index=shelf, cache=tmp_path / "cache")

    def test_in_a_lock_of_the_users_own_one_serves_where_no_wheel_fits(self, shelf, tmp_path):
        wheel = make_wheel(shelf.folder, "one", "1.0", tag="cp313-cp313-win_amd64")
        source = make_sdist(shelf.folder, "one", "1.0")
        lock = lock_of(pin("one", wheel, source), ours=False)
        for _ in range(2):
            (found,) = fetch(lock, ARM_313, index=shelf, cache=tmp_path / "cache")
            assert found.filename == "one-1.0.tar.gz"
        assert shelf.asked["one"] == 1
        refused = replace(lock, options=IndexOptions(only_binary=(":all:",)))
        with pytest.raises(FetchError, match="has no compatible wheel for"):
            fetch(refused, ARM_313, index=shelf, cache=tmp_path / "other")

    def test_a_wheel_that_was_replaced_is_told_rather_than_compiled_around(self, shelf, tmp_path):
        make_wheel(shelf.folder, "one", "1.0")
        source = make_sdist(shelf.folder, "one", "1.0")
        lock = lock_of(pin("one", source, hashes=["sha256:abc"]), ours=False)
        with pytest.raises(FetchError, match="does not match the lock"):
            fetch(lock, ARM_313, index=shelf, cache=tmp_path / "cache")
