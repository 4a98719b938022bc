"""Requirements files and project files of a folder without a template: each is in the manifest, or reported."""

import pytest

from entrypoint.cli import main


def test_development_files_are_left_out(init):
    files = ("dev_requirements.txt", "requirements-dev.txt", "requirements_dev.txt", "test_requirements.txt", "requirements-test.txt", "requirements-lint.txt", "requirements-ci.txt", "requirements.dev.txt", "tests/requirements.txt", "dev/requirements.txt", "docs/requirements.txt", "examples/a/requirements.txt", "requirements/dev.txt")  # fmt: skip
    found = init(
        dict.fromkeys(files, "pytest\n")
        | {"layer/requirements.txt": "jinja2\n", "devices/requirements.txt": "idna\n"}
    )
    assert {name: layer["requirements"] for name, layer in found.layers.items()} == {
        "layer": "layer/requirements.txt",
        "devices": "devices/requirements.txt",
    }
    for name in files:
        assert f"{name}: it is for development\n" in found.left
        assert f"# LEFT OUT: it is for development ({name})" in found.text


def test_inputs_locks_and_files_that_include_others(init):
    files = {
        "requirements.in": "jinja2\n",
        "requirements.txt": "jinja2==3.1.6\n",
        "requirements-python3.13-x86_64.txt": "jinja2==3.1.6\n",
        "requirements/base.txt": "idna\n",
        "requirements/prod.txt": "-r base.txt\nurllib3\n",
        "web/requirements.txt": "# nothing\n",
    }
    found = init(files)
    assert {name: layer["requirements"] for name, layer in found.layers.items()} == {
        "shared": "requirements.in",
        "prod": "requirements/prod.txt",
    }
    assert "requirements.txt: requirements.in is its input" in found.taken
    assert "requirements/base.txt: another file includes it" in found.taken
    assert "web/requirements.txt names no packages" in found.left


def test_the_dependencies_of_a_project_are_not_copied(init):
    project = """\
[project]
name = "x"
requires-python = ">=3.11,<3.13"
dependencies = ["jinja2"]
[project.optional-dependencies]
plot = ["humanize"]
[dependency-groups]
dev = ["pytest"]
web = ["idna"]
"""
    found = init({"pyproject.toml": project, "uv.lock": "version = 2\n"})
    assert found.layers == {
        "shared": {"requirements": "pyproject.toml", "runtimes": ["python3.12"], "architectures": ["x86_64"]}
    }
    assert "pyproject.toml:4: the dependencies of [project]" in found.taken
    assert "pyproject.toml:6: extra plot: to install it, add `extras: [plot]`" in found.left
    assert "pyproject.toml:8: dependency group dev: for development" in found.left
    assert "pyproject.toml:9: dependency group web: to install it, add `groups: [web]`" in found.left


LOCKS = {
    "uv.lock": "version = 1\n",
    "poetry.lock": '[metadata]\nlock-version = "2.1"\n',
    "pdm.lock": '[metadata]\nstrategy = ["inherit_metadata"]\n',
}


@pytest.mark.parametrize("lock", LOCKS)
def test_the_own_lock_of_a_project(init, lock):
    project = "[project]\nname = 'x'\nversion = '1'\ndependencies = ['jinja2']\n"
    found = init({"pyproject.toml": project, lock: LOCKS[lock]})
    assert found.layers["shared"]["requirements"] == "pyproject.toml"
    assert found.layers["shared"]["lock"] == lock
    assert f"{lock}: the versions of {lock}: change them with its tool" in found.taken


def test_the_lock_of_a_workspace(init):
    project = "[project]\nname = 'x'\nversion = '1'\ndependencies = ['jinja2']\n"
    found = init({"web/pyproject.toml": project, "uv.lock": LOCKS["uv.lock"]})
    assert [layer["lock"] for layer in found.layers.values()] == ["uv.lock"]


@pytest.mark.parametrize(
    ("files", "lock"),
    [
        ({"pyproject.toml": "[tool.poetry.dependencies]\njinja2 = '^3.1'\n", "poetry.lock": LOCKS["poetry.lock"]}, "poetry.lock"),
        ({"Pipfile": "[packages]\njinja2 = '*'\n", "Pipfile.lock": '{"default": {}}'}, "Pipfile.lock"),
    ],
)  # fmt: skip
def test_tools_with_a_list_of_their_own_and_a_lock(init, files, lock):
    found = init(files)
    assert found.layers["shared"]["lock"] == lock
    assert "export" not in found.text


@pytest.mark.parametrize(
    ("files", "note"),
    [
        ({"pyproject.toml": "[tool.poetry.dependencies]\npython = '^3.12'\njinja2 = '^3.1'\n"}, "pyproject.toml:1: run `poetry export"),
        ({"Pipfile": "[[source]]\n[packages]\njinja2 = '*'\n"}, "Pipfile:2: run `pipenv requirements > requirements.txt`"),
    ],
)  # fmt: skip
def test_tools_with_a_list_of_their_own(init, files, note):
    found = init(files, loads=False)
    assert found.layers["shared"]["requirements"] == "requirements.txt"
    assert note in found.fill


@pytest.mark.parametrize(
    ("files", "note"),
    [
        ({}, ""),
        ({"pyproject.toml": "[tool.ruff]\nline-length = 100\n"}, ""),
        ({"pyproject.toml": "[project]\nname = 'x'\ndynamic = ['dependencies']\n"}, "pyproject.toml:3: its dependencies are dynamic"),
        ({"pyproject.toml": "[project]\nname = 'x'\ndependencies = []\n"}, ""),
        ({"pyproject.toml": "not toml ["}, ""),
        ({"setup.py": "", "environment.yml": "a: 1\n"}, "setup.py: its requirements are only known when it runs"),
        ({"requirements.txt": "# none\n\n"}, "requirements.txt names no packages"),
    ],
)  # fmt: skip
def test_nothing_is_invented(init, files, note):
    found = init(files)
    assert found.layers == {}
    assert "no requirements were found: add a layer with the packages that you need" in found.fill
    assert note in found.left
    assert found.functions is None or found.functions == {}


def test_poetry_2_has_the_standard_list(init):
    project = "[project]\nname = 'x'\ndependencies = ['jinja2']\n[tool.poetry]\npackages = []\n"
    assert (
        init({"pyproject.toml": project, "poetry.lock": ""}).layers["shared"]["requirements"]
        == "pyproject.toml"
    )


def test_projects_in_folders(init):
    project = "[project]\nname = 'x'\ndependencies = ['jinja2']\n"
    files = {
        "pyproject.toml": "[tool.uv.workspace]\nmembers = ['services/*']\n",
        "services/web/pyproject.toml": project,
        "services/mails/pyproject.toml": project,
        "services/mails/requirements.txt": "idna\n",
        "tests/pyproject.toml": project,
    }
    found = init(files)
    assert {name: layer["requirements"] for name, layer in found.layers.items()} == {
        "mails": "services/mails/requirements.txt",
        "web": "services/web/pyproject.toml",
    }
    assert "services/mails/pyproject.toml: the requirements files beside it are read" in found.left


def test_init_ends_with_what_to_do_next(init):
    found = init({"requirements.txt": "jinja2\n"})
    assert found.printed.splitlines()[-1] == "wrote lambda-layers.yml; next, run: lambda-layers lock"


def test_a_manifest_in_a_folder(tmp_path, monkeypatch, capsys):
    (tmp_path / ".git").mkdir()
    (tmp_path / "services" / "web" / "deps").mkdir(parents=True)
    (tmp_path / "services" / "web" / "deps" / "requirements.txt").write_text("jinja2\n")
    (tmp_path / "services" / "web" / "requirements-dev.txt").write_text("pytest\n")
    monkeypatch.chdir(tmp_path)
    assert main(["init", "--manifest", "services/web/lambda-layers.yml"]) == 0
    assert "  services/web/requirements-dev.txt: it is for development" in capsys.readouterr().out
    text = (tmp_path / "services" / "web" / "lambda-layers.yml").read_text()
    assert "requirements: deps/requirements.txt" in text
    assert "# LEFT OUT: it is for development (requirements-dev.txt)" in text
