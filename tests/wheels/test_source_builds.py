"""Compiling from source, from the command line down to a real engine."""

import contextlib
import io
import json
import os
import shutil
import signal
import tarfile

import pytest
from compiling import Project, dockerfile, ended, until
from docker.errors import NotFound
from git_server import GitServer, commit_all
from layers import unzipped
from package_index import make_wheel, sha256
from sources import make_pure_source, make_source


@pytest.mark.engine
class TestInAContainer:
    def test_locked_compiled_and_built_once(self, project, builder):
        make_wheel(project.index.folder, "tiny", "1.0")
        source = make_source(project.index.folder, "tiny", "1.0")
        project.declare("tiny", from_source=["Tiny"], builder_image=builder.tags[0])
        project.run("lock")
        assert "# from source: tiny\n" in project.lock
        assert project.lock.count("--hash=") == project.lock.count(f"--hash=sha256:{sha256(source)}") == 1

        said = project.run("build", "--locked")
        assert f"compiling tiny 1.0 for web-python3.13-x86_64 in {builder.tags[0]}" in said
        assert "tiny 1.0: building the wheel" in said
        first = project.archive.read_bytes()
        assert "python/tiny.cpython-313-x86_64-linux-gnu.so" in unzipped(project.archive)
        (package,) = json.loads(project.archive.with_suffix(".json").read_bytes())["packages"]
        assert package["wheel"] == "tiny-1.0-cp313-cp313-linux_x86_64.whl"
        assert package["builtFrom"] == {
            "sdist": "tiny-1.0.tar.gz",
            "sha256": sha256(source),
            "builder": {"name": builder.tags[0], "id": builder.id},
            "systemPackages": [],
            "buildRequirements": [],
        }

        project.archive.unlink()
        nowhere = {"DOCKER_HOST": "unix:///nowhere.sock", "PIP_INDEX_URL": "http://127.0.0.1:1/"}
        assert "compiling" not in project.run("build", "--locked", **nowhere)
        assert project.archive.read_bytes() == first

        for kept in (project.cache / "wheels").rglob("*.whl"):
            kept.write_bytes(b"cut off")
        assert "compiling tiny" in project.run("build", "--locked")
        assert project.archive.read_bytes() == first

    def test_without_compiled_code_it_is_built_once_for_all_platforms(self, project, builder):
        """Where no engine runs containers of the other architecture, too."""
        make_pure_source(project.index.folder, "plain", "1.0")
        platforms = {"runtimes": ["python3.13"], "architectures": ["x86_64", "arm64"]}
        project.declare("plain", builder_image=builder.tags[0])
        project.run("lock")
        project.declare("plain", builder_image=builder.tags[0], bytecode=False, **platforms)
        said = project.run("lock")
        assert "compiling" not in said
        project.run("build", "--locked")
        archive = project.archive.with_name("web-python3.13-arm64.zip")
        assert "python/plain.py" in unzipped(archive)

    def test_a_folder_and_a_commit_are_built_like_any_source_archive(self, project, builder, tmp_path):
        for name in ("near", "far"):
            path = make_pure_source(tmp_path / "sources", name, "1.0")
            shutil.unpack_archive(path, tmp_path / "sources")
            table = f'[project]\nname = "{name}"\nversion = "1.0"\n'
            with (tmp_path / "sources" / f"{name}-1.0" / "pyproject.toml").open("a") as file:
                file.write(table)
        sha = commit_all(tmp_path / "sources" / "far-1.0")
        shutil.copytree(tmp_path / "sources" / "near-1.0", project.folder / "near")
        with GitServer(tmp_path / "sources") as server:
            far = f"far @ git+{server.url}/far-1.0@{sha}"
            architectures = ["arm64", "x86_64"]  # of which the engine may run only one
            project.declare(
                "./near", far, builder_image=builder.tags[0], bytecode=False, architectures=architectures
            )
            project.run("lock")
        said = project.run("build", "--locked")
        assert "compiling near 1.0 for web-python3.13-x86_64" in said
        assert {"python/near.py", "python/far.py"} <= unzipped(project.archive).keys()
        first = project.archive.read_bytes()
        nowhere = {"DOCKER_HOST": "unix:///nowhere.sock", "PIP_INDEX_URL": "http://127.0.0.1:1/"}
        assert "compiling" not in project.run("build", "--locked", **nowhere)
        assert project.archive.read_bytes() == first
        backend = project.folder / "near" / "backend.py"
        backend.write_text(backend.read_text().replace('"near.py": b""', '"near.py": b"x = 2"'))
        said = project.run("build", "--locked")
        assert "compiling near 1.0" in said
        assert "compiling far" not in said
        assert unzipped(project.archive)["python/near.py"] == b"x = 2"

    def test_what_has_no_wheel_is_compiled_to_learn_what_it_needs_and_only_once(self, project):
        make_source(project.index.folder, "tiny", "1.0", requires=("below>=1",))
        make_wheel(project.index.folder, "tiny", "0.9", tag="cp313-cp313-win_amd64")
        make_wheel(project.index.folder, "below", "1.0")
        said = project.run("lock")
        assert "compiling tiny 1.0" in said
        assert "web-python3.13-x86_64 builds tiny==1.0 from source: it has no compatible wheel" in said
        assert "below==1.0" in project.lock
        assert "compiling" not in project.run("build", DOCKER_HOST="unix:///nowhere.sock")

    @pytest.mark.parametrize("moment", ["building the wheel", "compiling tiny"])
    def test_ctrl_c_leaves_nothing(self, project, moment):
        make_source(project.index.folder, "tiny", "1.0", metadata="2.2", first="import time; time.sleep(600)")
        project.run("lock")
        with project.start("build", "--locked") as process:
            until(process.stdout, moment)
            process.send_signal(signal.SIGINT)
            said = ended(process)
        assert process.returncode == 130, said
        assert "Traceback" not in said

    def test_nothing_is_left_when_it_is_killed(self, project, containers):
        make_source(project.index.folder, "tiny", "1.0", metadata="2.2", first="import time; time.sleep(600)")
        project.run("lock")
        with project.start("build", "--locked") as process:
            until(process.stdout, "building the wheel")
            (container,) = containers()
            process.kill()
            process.communicate(timeout=60)
        with contextlib.suppress(NotFound):
            container.wait(condition="removed", timeout=60)

    def test_an_image_of_another_runtime(self, project, engine):
        make_source(project.index.folder, "tiny", "1.0", metadata="2.2")
        project.run("lock")
        drifted = dockerfile(
            engine,
            "FROM public.ecr.aws/sam/build-python3.12\n"
            "RUN chmod o+x /root; ln -s python3.12 /var/lang/bin/python3.13\n",
        )
        project.declare("tiny", builder_image=drifted.id)
        said = project.run("build", expect=14)
        assert "cannot build for python3.13: expected Python 3.13, found 'Python 3.12." in said
        project.declare("tiny", builder_image="public.ecr.aws/sam/build-python3.12")
        said = project.run("build", expect=14)
        assert "expected Python 3.13, found none that an unprivileged user can run (" in said
        assert "set builder_image to an image of that runtime" in said

    def test_an_image_that_is_not_there(self, project):
        make_source(project.index.folder, "tiny", "1.0", metadata="2.2")
        project.run("lock")
        project.declare("tiny", builder_image="127.0.0.1:1/{runtime}:{architecture}")
        said = project.run("build", expect=14)
        assert "pulling 127.0.0.1:1/python3.13:x86_64" in said
        assert (
            "tiny 1.0 must be compiled for python3.13-x86_64 (tiny 1.0 has no wheels), but the "
            "image 127.0.0.1:1/python3.13:x86_64 cannot be pulled: " in said
        )

    def test_an_engine_that_cannot_run_the_architecture(self, project, engine):
        """Its commands are of a format that no kernel knows."""
        context = io.BytesIO()

        with tarfile.open(fileobj=context, mode="w") as archive:
            for name, data in {
                "Dockerfile": b"FROM scratch\nCOPY true /bin/true\n",
                "true": b"\0" * 64,
            }.items():
                info = tarfile.TarInfo(name)
                info.size, info.mode = len(data), 0o755
                archive.addfile(info, io.BytesIO(data))
        context.seek(0)
        image, _ = engine.images.build(fileobj=context, custom_context=True, platform="linux/arm64", rm=True)
        make_source(project.index.folder, "tiny", "1.0", metadata="2.2")
        project.declare("tiny", builder_image=image.id, architectures=["arm64"])
        project.run("lock")
        said = project.run("build", expect=14)
        assert "the Docker engine is x86_64 and cannot run arm64 images (" in said
        assert "exec format error" in said
        assert "docker/setup-qemu-action" in said
        assert "ubuntu-24.04-arm" in said


class TestWithoutAnEngine:
    @pytest.fixture
    def project(self, isolated):
        isolated.declare("tiny")
        isolated.environment["DOCKER_HOST"] = "unix:///nowhere.sock"
        return isolated

    def test_it_is_told_what_to_do(self, project):
        make_source(project.index.folder, "tiny", "1.0", metadata="2.2")
        make_wheel(project.index.folder, "tiny", "1.0", tag="cp313-cp313-manylinux_2_39_x86_64")
        said = project.run("lock")
        assert "web-python3.13-x86_64 builds tiny==1.0 from source" in said
        assert (
            "error: web-python3.13-x86_64.txt:7: tiny 1.0 must be compiled for python3.13-x86_64 "
            "(tiny-1.0-cp313-cp313-manylinux_2_39_x86_64.whl (requires glibc 2.39, python3.13 has 2.34)), "
            "but no Docker engine is available: "
        ) in (said := project.run("build", expect=14))
        assert (
            "start Docker, or set DOCKER_HOST to a Docker engine, or pin a version that has a wheel" in said
        )

    def test_docker_is_not_imported_where_nothing_is_compiled(self, project):
        project.declare("tiny", bytecode=False)  # which may be made in an image too
        make_wheel(project.index.folder, "tiny", "1.0")
        broken = project.folder / "broken"
        (broken / "docker").mkdir(parents=True)
        (broken / "docker" / "__init__.py").write_text("raise SystemExit('docker was imported')\n")

        def run(command):
            with project.start(command, PYTHONPATH=str(broken)) as process:
                process.communicate(timeout=60)
            return process.returncode

        for command in ("lock", "check", "build"):
            assert run(command) == 0
        project.declare("tiny", from_source=["tiny"], bytecode=False)
        make_source(project.index.folder, "tiny", "1.0")
        assert run("lock") == 0
        assert run("build") == 1  # so it would have been noticed


@pytest.mark.engine
@pytest.mark.network
@pytest.mark.usefixtures("engine")
class TestRealPackages:
    MARKUPSAFE = "markupsafe==3.0.2"
    BUILT_WITH = {"markupsafe": ["setuptools==80.9.0"]}  # noqa: RUF012

    @pytest.fixture
    def project(self, tmp_path):
        return Project(tmp_path, os.environ)

    def test_for_the_current_runtime(self, project, builder):
        project.declare(
            self.MARKUPSAFE,
            from_source=["markupsafe"],
            build_requirements=self.BUILT_WITH,
            builder_image=builder.tags[0],
        )
        project.run("lock")
        assert "# build requirements of markupsafe==3.0.2:\n#   setuptools==80.9.0 --hash=" in project.lock
        locked = project.lock
        project.run("lock")
        assert project.lock == locked
        project.run("build", "--locked")
        (package,) = json.loads(project.archive.with_suffix(".json").read_bytes())["packages"]
        (requirement,) = package["builtFrom"]["buildRequirements"]
        assert (requirement["name"], requirement["version"]) == ("setuptools", "80.9.0")
        assert f"--hash=sha256:{requirement['sha256']}" in locked
        assert "python/markupsafe/_speedups.cpython-313-x86_64-linux-gnu.so" in unzipped(project.archive)

    def test_system_packages_are_there_when_it_is_compiled(self, project, builder):
        first = "subprocess.run(['tree', '--version'], check=True)"
        make_source(project.folder / "packages", "tiny", "1.0", metadata="2.2", first=first)
        lines = ["tiny", "--find-links ./packages", "--no-index"]
        (project.folder / "requirements.txt").write_text("\n".join(lines))
        project.declare("requirements.txt", system_packages=["tree"], builder_image=builder.tags[0])
        project.run("lock")
        said = project.run("build", "--locked")
        assert "installing tree with apt-get" in said
        assert "compiled tiny-1.0" in said

    @pytest.mark.emulated
    def test_for_another_architecture_and_an_older_system(self, project, engine):
        """The image is built for arm64, and the engine emulates it."""
        name = "public.ecr.aws/sam/build-python3.11:latest-arm64"
        if not engine.images.list(name):
            pytest.skip(f"the engine has no {name}")
        make_source(project.folder / "packages", "tiny", "1.0", metadata="2.2")
        (project.folder / "requirements.txt").write_text("tiny\n--find-links ./packages\n--no-index\n")
        platform = {"runtimes": ["python3.11"], "architectures": ["arm64"]}
        project.declare("requirements.txt", bytecode=False, **platform)
        project.run("lock")
        project.run("build", "--locked")
        (wheel,) = project.cache.glob("wheels/*/tiny-*.whl")
        assert wheel.name == "tiny-1.0-cp311-cp311-linux_aarch64.whl"
        content = unzipped(project.archive.with_name("web-python3.11-arm64.zip"))
        assert content["python/tiny.cpython-311-aarch64-linux-gnu.so"][18:20] == b"\xb7\0"  # its machine
