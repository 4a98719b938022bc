"""Build requirements: resolved and pinned by `lock`, checked, and given to builds as files."""

import json
import shutil
from pathlib import Path

import pytest
from compiling import SECRETS
from package_index import make_sdist, make_wheel, sha256
from sources import make_source

from entrypoint.lock.header import DIGEST, lock_digest

UV = ("--engine", "uv")  # faster than pip-compile, with the same result
HELPER = "import helper; assert helper.VERSION == '1.0'"


@pytest.fixture
def helped(project):
    """A project with a package whose build requires another one."""
    make_wheel(project.index.folder, "helper", "1.0", requires=("below",))
    make_wheel(project.index.folder, "below", "1.0")
    make_source(
        project.index.folder, "tiny", "1.0", metadata="2.2", first=HELPER, build_requires=("helper>=1",)
    )
    return project


class TestInTheLock:
    """No engine is needed: what the sdist declares is read from its files."""

    @pytest.fixture
    def helped(self, isolated):
        isolated.declare("tiny", from_source=["tiny"], bytecode=False)
        isolated.environment["DOCKER_HOST"] = "unix:///nowhere.sock"
        make_wheel(isolated.index.folder, "helper", "1.0", requires=("below",))
        make_wheel(isolated.index.folder, "below", "1.0")
        make_source(isolated.index.folder, "tiny", "1.0", metadata="2.2", build_requires=("helper>=1",))
        return isolated

    def test_they_are_pinned_and_hashed(self, helped):
        helped.run("lock")
        lines = helped.lock.splitlines()
        start = lines.index("# build requirements of tiny==1.0:")
        assert [line.split(" --hash=sha256:")[0] for line in lines[start + 1 : start + 3]] == [
            "#   below==1.0",
            "#   helper==1.0",
        ]
        assert lines[start + 3].startswith("tiny==1.0")

    def test_they_are_kept_until_they_are_upgraded(self, helped):
        helped.run("lock", *UV)
        first = helped.lock
        make_wheel(helped.index.folder, "helper", "1.1")
        make_wheel(helped.index.folder, "below", "1.1")
        helped.run("lock", *UV)
        assert helped.lock == first
        helped.run("lock", *UV, "--check")
        said = helped.run("lock", *UV, "--check", "--upgrade", expect=6)
        assert "helper 1.0 -> 1.1 (to build tiny==1.0)" in said
        assert "effect" not in helped.run("lock", *UV, "--upgrade-package", "below")
        assert "#   below==1.1 " in helped.lock
        assert "#   helper==1.0 " in helped.lock
        helped.run("lock", *UV, "--upgrade")
        assert "#   helper==1.1 " in helped.lock

    def test_a_lock_without_them_is_out_of_sync(self, helped):
        helped.run("lock", *UV)
        path = helped.folder / "web-python3.13-x86_64.txt"
        complete = path.read_text()

        def rewrite(text):
            path.write_text(text.replace(DIGEST.search(text)[1], lock_digest(text)))

        rewrite(complete.replace("# build requirements of tiny==1.0:\n", "# a comment\n"))
        said = helped.run("check", expect=6)
        assert "this lock does not pin the build requirements of tiny==1.0; run: lambda-layers lock" in said
        rewrite(complete.replace("#   helper==1.0 --hash", "#   helper==1.0 --no-hash"))
        said = helped.run("check", expect=6)
        assert ":8: this build requirement is not pinned and hashed; run: lambda-layers lock" in said

    def test_what_the_layer_adds_is_part_of_the_inputs(self, helped):
        helped.run("lock", *UV)
        helped.declare("tiny", from_source=["tiny"], bytecode=False, build_requirements={"Tiny": ["more<2"]})
        assert "this lock is out of sync with lambda-layers.yml" in helped.run("check", expect=6)
        make_wheel(helped.index.folder, "more", "1.0")
        make_wheel(helped.index.folder, "more", "2.0")
        helped.run("lock", *UV)
        assert "#   more==1.0 " in helped.lock

    @pytest.mark.parametrize(
        ("requirement", "message"),
        [
            ("helper @ https://elsewhere.example/helper.whl", "which is not a package of an index"),
            ("--index-url=https://elsewhere.example", "has the invalid build requirement"),
            ("-r /etc/passwd", "has the invalid build requirement"),
            ("missing>=1", "the build requirements of tiny 1.0 cannot be resolved: "),
        ],
    )
    def test_what_cannot_be_a_requirement_is_refused(self, helped, requirement, message):
        make_source(helped.index.folder, "tiny", "1.0", metadata="2.2", build_requires=(requirement,))
        said = helped.run("lock", expect=14)
        assert message in said
        assert helped.index.asked_for("elsewhere") == 0

    def test_one_that_requires_itself_is_refused(self, helped):
        make_sdist(
            helped.index.folder,
            "round",
            "1.0",
            metadata="2.2",
            files={"pyproject.toml": "[build-system]\nrequires = ['tiny']\n"},
        )
        make_source(helped.index.folder, "tiny", "1.0", metadata="2.2", build_requires=("round",))
        said = helped.run("lock", expect=14)
        assert "the build of tiny==1.0 requires itself: tiny==1.0 -> round==1.0 -> tiny==1.0" in said

    def test_an_old_setuptools_gets_wheel(self, helped):
        make_wheel(helped.index.folder, "setuptools", "65.0")
        make_wheel(helped.index.folder, "wheel", "0.46")
        make_wheel(helped.index.folder, "wheel", "0.45")
        make_sdist(helped.index.folder, "tiny", "1.0", metadata="2.2", files={"setup.py": ""})
        helped.run("lock")
        assert "#   wheel==0.45 " in helped.lock


@pytest.mark.engine
class TestInABuild:
    def test_a_build_gets_exactly_the_pinned_wheels(self, helped):
        """The newer version is not pinned, and the index is not asked by the build."""
        helped.run("lock")
        make_wheel(helped.index.folder, "helper", "1.1")
        said = helped.run("build", "--locked")
        assert "tiny 1.0: installing below-1.0, helper-1.0" in said
        (package,) = json.loads(helped.archive.with_suffix(".json").read_bytes())["packages"]
        used = [(item["name"], item["version"]) for item in package["builtFrom"]["buildRequirements"]]
        assert used == [("below", "1.0"), ("helper", "1.0")]

    def test_a_changed_file_is_refused(self, helped):
        helped.run("lock")
        make_wheel(helped.index.folder, "helper", "1.0", files={"helper.py": "import os\n"})
        shutil.rmtree(helped.cache)
        said = helped.run("build", "--locked", expect=7)
        assert "helper-1.0" in said
        assert "hash" in said
        assert "building the wheel" not in said

    def test_changed_requirements_compile_anew(self, helped):
        helped.run("lock")
        helped.run("build", "--locked")
        hash_before = json.loads(helped.archive.with_suffix(".json").read_bytes())["dependencyHash"]
        make_wheel(helped.index.folder, "below", "1.1")
        helped.run("lock", "--upgrade")
        assert "compiling tiny" in helped.run("build", "--locked")
        assert json.loads(helped.archive.with_suffix(".json").read_bytes())["dependencyHash"] != hash_before

    def test_one_without_a_wheel_is_compiled_too(self, helped):
        (helped.index.folder / "below-1.0-py3-none-any.whl").unlink()
        make_source(helped.index.folder, "below", "1.0", metadata="2.2")
        helped.run("lock")
        assert "#   below==1.0 (from source) --hash" in helped.lock
        assert "# build requirements of below==1.0: none\n" in helped.lock
        said = helped.run("build", "--locked")
        assert said.index("compiled below-1.0") < said.index("compiling tiny 1.0")

    def test_what_a_backend_asks_for_has_to_be_pinned(self, helped, builder):
        make_source(
            helped.index.folder,
            "tiny",
            "1.0",
            metadata="2.2",
            first=HELPER,
            asks=("helper<2", "below; python_version<'3'"),
        )
        helped.run("lock")
        said = helped.run("build", "--locked", expect=14)
        assert (
            "the build of tiny 1.0 asks for helper<2, which the lock does not pin; add this to the layer, "
            in said
        )
        assert 'build_requirements: {tiny: ["helper<2"]}' in said
        helped.declare("tiny", builder_image=builder.tags[0], build_requirements={"tiny": ["helper<2"]})
        helped.run("lock")
        helped.run("build", "--locked")

    def test_a_lock_of_another_tool_pins_none(self, helped, builder):
        make_source(
            helped.index.folder,
            "tiny",
            "1.0",
            metadata="2.2",
            first=HELPER,
            build_requires=("below",),
            asks=("helper",),
        )
        helped.run("lock")
        pinned = "".join(line for line in helped.lock.splitlines(keepends=True) if line[0] != "#")
        (helped.folder / "own.txt").write_text(pinned)
        helped.declare("tiny", builder_image=builder.tags[0], lock="own.txt")
        said = helped.run("build", "--locked")
        assert "warning: own.txt:1: no lock pins the build requirements of tiny 1.0" in said
        assert "tiny 1.0: installing below-1.0, helper-1.0" in said
        helped.archive.unlink()
        nowhere = {"DOCKER_HOST": "unix:///nowhere.sock", "PIP_INDEX_URL": "http://127.0.0.1:1/"}
        assert "compiling" not in helped.run("build", "--locked", **nowhere)

    def test_two_packages_that_ask_for_what_has_to_be_compiled(self, helped, builder):
        """Each waits for a build of its own; no more than two run at once."""
        shelf = helped.index.folder
        make_source(shelf, "nested", "1.0", metadata="2.2")
        pinned = ""
        for name in ("tiny", "other"):
            source = make_source(shelf, name, "1.0", metadata="2.2", asks=("nested",))
            pinned += f"{name}==1.0 --hash=sha256:{sha256(source)}\n"
        (helped.folder / "own.txt").write_text(pinned)
        helped.declare("tiny", "other", builder_image=builder.tags[0], lock="own.txt")
        said = helped.run("build", "--locked")
        assert said.count("compiled nested-1.0") == 1
        assert "compiled tiny-1.0" in said
        assert "compiled other-1.0" in said


@pytest.mark.engine
class TestHostileBuilds:
    def test_nothing_of_ours_is_there(self, helped):
        """The build prints all that it can see, and fails."""
        helped.index.credentials = "user:s3cret-of-the-index"
        helped.environment["PIP_INDEX_URL"] = helped.index.url_with(helped.index.credentials)
        home = Path(helped.environment["HOME"])
        home.mkdir()
        (home / ".netrc").write_text("machine 127.0.0.1 login a password s3cret-of-the-netrc\n")
        script = "os.system('env; cat /proc/*/environ; find /lambda-layers -type f | xargs cat; pip config list'); "
        script += "sys.exit('that was all')"
        make_source(
            helped.index.folder, "tiny", "1.0", metadata="2.2", first=script, build_requires=("helper",)
        )
        helped.run("lock")
        said = helped.run("build", "--locked", expect=14, **SECRETS)
        assert "tiny 1.0 cannot be compiled for python3.13-x86_64" in said
        assert "that was all" in said
        for secret in (*SECRETS.values(), "s3cret-of", "index-url", "127.0.0.1:"):
            assert secret not in said

    def test_one_package_cannot_change_the_wheel_of_another(self, project, builder):
        """The first build tries to change what the second one uses, now and in later runs."""
        attack = (
            "import glob, site; [os.system(f'echo raise SystemExit >> {path}') for path in "
            "[*glob.glob('/var/lang/lib/python3*/site-packages/pip/__init__.py'), "
            "*glob.glob('/lambda-layers/**/*.py', recursive=True), '/usr/bin/cc', '/tmp/sitecustomize.py']]"
        )
        names = {"from_source": ["bad", "tiny"], "builder_image": builder.tags[0]}
        make_source(project.index.folder, "bad", "1.0", metadata="2.2", first=attack)
        make_source(project.index.folder, "tiny", "1.0", metadata="2.2")
        project.declare("tiny", **names)
        project.run("lock")
        project.run("build", "--locked")
        (alone,) = project.cache.glob("wheels/*/tiny-*.whl")
        for kept in project.cache.glob("records/built"):
            kept.rename(kept.with_name("gone"))
        project.declare("bad", "tiny", **names)
        project.run("lock")
        assert project.run("build", "--locked").count("compiled ") >= 2
        assert list(project.cache.glob("wheels/*/tiny-*.whl")) == [alone]

    @pytest.mark.parametrize("network", [False, True])
    def test_a_connection_needs_build_network(self, project, builder, engine, network):
        gateway = engine.networks.get("bridge").attrs["IPAM"]["Config"][0].get("Gateway", "172.17.0.1")
        connect = f"import socket; sys.exit(os.strerror(socket.socket().connect_ex(('{gateway}', 9))))"
        make_source(project.index.folder, "tiny", "1.0", metadata="2.2", first=connect)
        project.declare("tiny", builder_image=builder.tags[0], build_network=network)
        project.run("lock")
        said = project.run("build", "--locked", expect=14)
        # The host is there, and refuses, or there is no way to it.
        assert ("Connection refused" if network else "Network is unreachable") in said
