import subprocess
import sys

import pytest
from package_index import make_sdist, make_wheel, pip_environment, sha256

from entrypoint.errors import Location, LockError
from entrypoint.lock.header import DIGEST, inputs_hash, is_in_sync
from entrypoint.lock.lock_file import (
    Lock,
    Pin,
    lock_text,
    read_lock,
    read_pinned,
    read_via,
    write_lock,
)
from entrypoint.lock.requirement_lines import read_lines
from entrypoint.manifest.model import Requirements
from entrypoint.manifest.project import lock_path
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform

ARM_313 = Platform(RUNTIMES["python3.13"], Architecture.ARM64)
X86_39 = Platform(RUNTIMES["python3.9"], Architecture.X86_64)
NOWHERE = Location("lambda-layers.yml", 3)
DIGESTS = tuple(f"sha256:{letter * 64}" for letter in "abcdef")


def pin(name, version, *letters, via=()):
    hashes = frozenset(f"sha256:{letter * 64}" for letter in letters)
    return Pin(name=name, version=version, hashes=hashes, location=NOWHERE, via=via)


def inputs(tmp_path, text="requests\n"):
    (tmp_path / "requirements.in").write_text(text, "utf-8")
    return Requirements(files=(tmp_path / "requirements.in",), location=NOWHERE)


def hash_of(tmp_path, text, platform=ARM_313):
    return inputs_hash(read_lines(inputs(tmp_path, text), root=tmp_path), platform)


def problems_of(read, *arguments, **keywords):
    with pytest.raises(LockError) as caught:
        read(*arguments, **keywords)
    return [str(problem) for problem in caught.value.problems]


def user_lock(tmp_path, text):
    (tmp_path / "lock.txt").write_text(text, "utf-8")
    return tmp_path / "lock.txt"


class TestPathOfALock:
    def test_is_next_to_the_first_input(self, tmp_path):
        files = (tmp_path / "web" / "requirements.in", tmp_path / "more.in")
        path = lock_path(Requirements(files=files, location=NOWHERE), ARM_313, "web", tmp_path)
        assert path == tmp_path / "web" / "requirements-python3.13-arm64.txt"

    def test_is_next_to_the_manifest_for_inline_lines(self, tmp_path):
        requirements = Requirements(lines=(("six", NOWHERE),), location=NOWHERE)
        assert lock_path(requirements, X86_39, "web", tmp_path) == tmp_path / "web-python3.9-x86_64.txt"


class TestHashOfTheInputs:
    def test_does_not_depend_on_formatting(self, tmp_path):
        plain = hash_of(tmp_path, "requests>=2,<3\nsix==1\n")
        assert plain == hash_of(tmp_path, "# why\n\nsix == 1 # one\nrequests >=2, <3\n")
        assert plain == hash_of(tmp_path, "requests \\\n  >=2,<3\nsix==1.\n".replace("1.", "1"))

    @pytest.mark.parametrize(
        "text",
        [
            "requests>=2\n",
            "requests[socks]\n",
            "requests; os_name == 'posix'\n",
            "requests\nsix\n",
            "--pre\nrequests\n",
            "--index-url https://other.example/simple\nrequests\n",
            f"requests --hash={DIGESTS[0]}\n",
        ],
    )
    def test_depends_on_the_meaning_of_lines(self, tmp_path, text):
        assert hash_of(tmp_path, text) != hash_of(tmp_path, "requests\n")

    def test_depends_on_included_files_and_separates_constraints(self, tmp_path):
        (tmp_path / "more.in").write_text("six<2\n", "utf-8")
        required = hash_of(tmp_path, "requests\n-r more.in\n")
        constrained = hash_of(tmp_path, "requests\n-c more.in\n")
        assert len({required, constrained, hash_of(tmp_path, "requests\n")}) == 3
        assert required == hash_of(tmp_path, "requests\nsix<2\n")

    def test_depends_on_the_platform(self, tmp_path):
        assert hash_of(tmp_path, "six\n", ARM_313) != hash_of(tmp_path, "six\n", X86_39)

    def test_does_not_depend_on_credentials(self, tmp_path):
        texts = [f"-i https://user:{word}@index.example/simple\nsix\n" for word in ("old", "new")]
        assert hash_of(tmp_path, texts[0]) == hash_of(tmp_path, texts[1])


class TestAGeneratedLock:
    def written(self, tmp_path, *pins, text="requests\n", platform=ARM_313):
        requirements = inputs(tmp_path, text)
        path = lock_path(requirements, platform, "web", tmp_path)
        lock = Lock(platform=platform, pins=pins, inputs=hash_of(tmp_path, text, platform))
        write_lock(path, lock, made_from=["requirements.in"])
        return path, requirements

    def test_text(self):
        pins = (pin("six", "1.16", "b", "a", via=("z", "a")), pin("idna", "3", "c", via=("requests",)))
        text = lock_text(Lock(platform=ARM_313, pins=pins, inputs=DIGESTS[5]), made_from=["requirements.in"])
        assert text == (
            "# Made by `lambda-layers lock` for python3.13-arm64. Change the inputs, not this file:\n"
            "#   requirements.in\n"
            f"# inputs: {DIGESTS[5]}\n"
            "# digest: sha256:a420219ee66e3eaa97b0eda749f14aeff67e0d16e2ba30d4dd8783a5bb4712eb\n"
            "idna==3 \\\n"
            f"    --hash={DIGESTS[2]}\n"
            "    # via requests\n"
            "six==1.16 \\\n"
            f"    --hash={DIGESTS[0]} \\\n"
            f"    --hash={DIGESTS[1]}\n"
            "    # via\n"
            "    #   a\n"
            "    #   z\n"
        )

    def test_reads_as_written(self, tmp_path):
        pins = (pin("idna", "3", "c", via=("requests",)), pin("six", "1.16", "b", "a", via=("a", "z")))
        path, requirements = self.written(tmp_path, *pins)
        lock = read_lock(path, ARM_313, requirements=requirements, root=tmp_path)
        assert [(each.name, each.version, each.hashes, each.via) for each in lock.pins] == [
            (each.name, each.version, each.hashes, each.via) for each in pins
        ]
        assert str(lock.pins[1].location) == "requirements-python3.13-arm64.txt:8"
        assert lock.inputs == hash_of(tmp_path, "requests\n")

    def test_gets_the_index_options_of_its_inputs(self, tmp_path):
        path, requirements = self.written(
            tmp_path, pin("six", "1", "a"), text="-i https://x:y@index.example/\nsix\n"
        )
        lock = read_lock(path, ARM_313, requirements=requirements)
        assert lock.options.index_url == "https://x:y@index.example/"
        assert "index.example" not in path.read_text("utf-8")

    def test_is_out_of_sync_when_an_input_changes(self, tmp_path):
        path, requirements = self.written(tmp_path, pin("six", "1", "a"))
        (tmp_path / "requirements.in").write_text("requests>=2\n", "utf-8")
        assert problems_of(read_lock, path, ARM_313, requirements=requirements, root=tmp_path) == [
            (
                "requirements-python3.13-arm64.txt: this lock is out of sync with requirements.in; "
                "run: lambda-layers lock"
            )
        ]

    @pytest.mark.parametrize("stranger", [f"tiny==1.0 \\\n    --hash={DIGESTS[3]}\n", "# note\n", "\n"])
    def test_was_changed_by_hand(self, tmp_path, stranger):
        """A pull request adds a package that nobody asked for, with its hash."""
        path, requirements = self.written(tmp_path, pin("six", "1", "a"))
        assert is_in_sync(path, ARM_313, requirements=requirements, root=tmp_path)
        text = path.read_text("utf-8")
        path.write_text(text + stranger, "utf-8")
        changed = "this lock was changed by hand or by a merge, or made by an older version of lambda-layers"
        message = f"requirements-python3.13-arm64.txt: {changed}; run: lambda-layers lock"
        assert problems_of(read_lock, path, ARM_313, requirements=requirements, root=tmp_path) == [message]
        assert not is_in_sync(path, ARM_313, requirements=requirements, root=tmp_path)
        digest = DIGEST.search(text)[0]
        for header in ("", digest + digest, f"# digest: {DIGESTS[4]}\n{digest}"):
            path.write_text(text.replace(digest, header), "utf-8")
            assert problems_of(read_lock, path, ARM_313, requirements=requirements, root=tmp_path) == [
                message
            ]
            assert not is_in_sync(path, ARM_313, requirements=requirements, root=tmp_path)
        path.write_bytes(text.replace("\n", "\r\n").encode())  # as git on Windows checks it out
        assert is_in_sync(path, ARM_313, requirements=requirements, root=tmp_path)

    def test_is_missing(self, tmp_path):
        assert problems_of(read_lock, tmp_path / "no.txt", ARM_313, root=tmp_path) == [
            "no.txt: there is no lock for python3.13-arm64; run: lambda-layers lock"
        ]

    def test_is_for_another_platform(self, tmp_path):
        path, _ = self.written(tmp_path, pin("six", "1", "a"))
        (problem,) = problems_of(read_lock, path, X86_39, root=tmp_path)
        assert "this lock is for python3.13-arm64, not python3.9-x86_64" in problem

    def test_without_hashes_and_header(self, tmp_path):
        path = user_lock(tmp_path, "six==1\nidna==3\n")
        found = problems_of(read_lock, path, ARM_313, root=tmp_path)
        assert [text.split(";")[0] for text in found[:2]] == [
            "lock.txt:2: idna==3 has no hash",
            "lock.txt:1: six==1 has no hash",
        ]
        assert "the header of `lambda-layers lock` is missing" in found[2]

    def test_writing_leaves_nothing_else_behind(self, tmp_path):
        path, _ = self.written(tmp_path, pin("six", "1", "a"))
        self.written(tmp_path, pin("six", "2", "a"))
        assert "six==2" in path.read_text("utf-8")
        assert sorted(each.name for each in tmp_path.iterdir()) == [path.name, "requirements.in"]

    def test_pip_installs_from_it(self, tmp_path):
        wheels = tmp_path / "wheels"
        built = [
            make_wheel(wheels, "top", "1.0", requires=("below[extra]>=1",)),
            make_wheel(wheels, "below", "2.0", extras=("extra",), requires=("deep; extra == 'extra'",)),
            make_wheel(wheels, "deep", "3.0"),
        ]
        make_sdist(wheels, "top", "1.0")
        pins = [
            Pin(name=name, version=version, hashes=frozenset({f"sha256:{sha256(path)}"}), location=NOWHERE)
            for name, version, path in zip(
                ("top", "below", "deep"), ("1.0", "2.0", "3.0"), built, strict=True
            )
        ]
        path, _ = self.written(tmp_path, *pins)
        command = [sys.executable, "-I", "-m", "pip", "install", "--require-hashes", "--no-index", "-q"]
        command += ["--find-links", str(wheels), "--target", str(tmp_path / "site"), "-r", str(path)]
        subprocess.run(command, env=pip_environment(tmp_path), check=True, capture_output=True)
        assert {each.name for each in (tmp_path / "site").glob("*.py")} == {"top.py", "below.py", "deep.py"}


class TestALockOfAnotherTool:
    EXPORT = (
        "# exported by some tool\n"
        "-i https://index.example/simple\n"
        f"audioop-lts==0.2.1 ; python_version >= '3.13' \\\n    --hash={DIGESTS[0]}\n"
        f"numpy==2.0.2 ; python_full_version < '3.10' \\\n    --hash={DIGESTS[1]}\n    # via pandas\n"
        f"numpy==2.5.5 ; python_full_version >= '3.10' \\\n    --hash={DIGESTS[2]} \\\n"
        f"    --hash={DIGESTS[3]}\n    # via\n    #   app\n    #   pandas\n"
        f"uvloop[dev]==0.21 ; platform_machine == 'x86_64' \\\n    --hash={DIGESTS[4]}\n"
    )

    def test_markers_are_evaluated_for_each_platform(self, tmp_path):
        path = user_lock(tmp_path, self.EXPORT)
        new, old = read_pinned(path, ARM_313, root=tmp_path), read_pinned(path, X86_39, root=tmp_path)
        assert [str(each) for each in new.pins] == ["audioop-lts==0.2.1", "numpy==2.5.5"]
        assert [str(each) for each in old.pins] == ["numpy==2.0.2", "uvloop==0.21"]
        assert new.pins[1].hashes == {DIGESTS[2], DIGESTS[3]}
        assert (new.pins[1].via, str(new.pins[1].location)) == (("pandas", "app"), "lock.txt:8")
        assert new.options.index_url == "https://index.example/simple"
        assert new.inputs is None

    def test_every_package_has_a_hash(self, tmp_path):
        hint = "export the lock with hashes, such as: uv export --format requirements-txt"
        for text, missing in (("six==1\nidna==3\n", 2), (f"six==1 --hash={DIGESTS[0]}\nidna==3\n", 1)):
            path = user_lock(tmp_path, text)
            problems = problems_of(read_pinned, path, ARM_313, root=tmp_path)
            assert problems[0] == f"lock.txt:2: idna==3 has no hash; {hint}"
            assert len(problems) == missing

    def test_every_unpinned_line_is_reported(self, tmp_path):
        path = user_lock(tmp_path, "a\nb>=1\nc==1.*\nd==1,!=2\ne===1.0\nf>1; sys_platform == 'win32'\n")
        found = problems_of(read_pinned, path, ARM_313, root=tmp_path)
        assert [text.split(": ")[0] for text in found] == [f"lock.txt:{line}" for line in (1, 2, 3, 4)]
        assert all("is not pinned to one version" in text for text in found)

    def test_the_same_version_twice_merges_hashes(self, tmp_path):
        path = user_lock(tmp_path, f"Six==1.0 --hash={DIGESTS[0]}\nsix==1.0.0 --hash={DIGESTS[1]}\n")
        (merged,) = read_pinned(path, ARM_313).pins
        assert merged.hashes == {DIGESTS[0], DIGESTS[1]}

    def test_two_versions_that_both_apply_conflict(self, tmp_path):
        path = user_lock(tmp_path, "six==1\nsix==2\n")
        assert problems_of(read_pinned, path, ARM_313, root=tmp_path) == [
            "lock.txt:2: six==2 conflicts with six==1 (lock.txt:1), and both apply; remove one of them"
        ]

    def test_a_violated_constraint(self, tmp_path):
        (tmp_path / "bounds.txt").write_text("six<2\nidna<99\nother==1; python_version < '3'\n", "utf-8")
        path = user_lock(tmp_path, "-c bounds.txt\nsix==2\nidna==3\nother==2\n")
        assert problems_of(read_pinned, path, ARM_313, root=tmp_path) == [
            (
                "lock.txt:2: six==2 violates the constraint `six<2` (bounds.txt:1); "
                "compile the lock again with this constraint"
            )
        ]

    def test_invalid_lines_are_problems_of_the_lock(self, tmp_path):
        (problem,) = problems_of(
            read_pinned, user_lock(tmp_path, "x @ https://h/x.whl\n"), ARM_313, root=tmp_path
        )
        assert problem.startswith("lock.txt:1: https://h/x.whl does not have the filename of a wheel")


def test_via_comments():
    text = (
        "a==1\n    # via b\nb==2 \\\n  --hash=x\n    # via\n    #   -r in.txt\n    #   c\n# the end\n#   no\n"
    )
    assert read_via(text) == {"a": ("b",), "b": ("-r in.txt", "c")}
