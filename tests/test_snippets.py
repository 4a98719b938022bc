"""Every fenced block of README, CONTRIBUTING and docs is run, parsed, or has a reason why not.

Each page is followed from its top in an empty folder: blocks with a title are written to that file, blocks
of commands are run there. A block that cannot be run has the reason above it: `<!-- not run: REASON -->`.
The index has tiny wheels of the packages that the pages name.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
import tomllib
from itertools import takewhile
from pathlib import Path

import command
import hcl2
import pytest
import yaml
from package_index import IndexServer, make_wheel, pip_environment
from snippets import PAGES, Snippet, agrees, commands, snippets

from entrypoint.commands.parser import parse
from entrypoint.manifest.reader import load

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
EVERY = [snippet for page in PAGES for snippet in snippets(page)]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
LLMS = ROOT / "docs" / "llms.txt"
DIAGRAMS = {"flowchart", "sequenceDiagram", "stateDiagram-v2"}


@pytest.fixture(scope="session")
def index(tmp_path_factory):
    shelf = tmp_path_factory.mktemp("shelf")
    for name, version, requires in (
        ("jinja2", "3.1.6", ("MarkupSafe>=2.0",)),
        ("markupsafe", "3.0.4", ()),
        ("humanize", "4.17.0", ()),
        ("requests", "2.32.5", ("idna", "urllib3")),
        ("idna", "3.11", ()),
        ("urllib3", "2.5.0", ()),
        ("pandas", "2.3.3", ()),
        ("internal-auth", "1.4.0", ()),
    ):
        make_wheel(shelf, name, version, requires=requires)
    with IndexServer(shelf) as server:
        yield server


class Reader:
    """Somebody who does what a page says, in a folder of their own."""

    def __init__(self, folder: Path, index: IndexServer) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        self._where = folder / "where"
        self._where.write_text(str(self.folder))
        self._environment = pip_environment(
            folder / "home",
            PIP_INDEX_URL=index.url,
            PYTHONUNBUFFERED="1",  # both streams in the order in which they are written
            COLUMNS="200",
            GIT_CONFIG_GLOBAL=os.devnull,
            GIT_CONFIG_COUNT="2",
            GIT_CONFIG_KEY_0="user.name",
            GIT_CONFIG_VALUE_0="A Reader",
            GIT_CONFIG_KEY_1="user.email",
            GIT_CONFIG_VALUE_1="reader@example.org",
        )
        self._environment["PATH"] = os.pathsep.join([str(BIN), os.environ["PATH"]])

    @property
    def here(self) -> Path:
        """The folder that the reader's shell is in; `cd` is remembered from one command to the next."""
        return Path(self._where.read_text().strip())

    def follow(self, snippet: Snippet) -> None:
        if snippet.title:
            path = self.here / snippet.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(snippet.text)
        if snippet.excuse is None:
            assert snippet.kind in CHECKS, f"{snippet}: nothing checks {snippet.kind!r}; say why above it"
            CHECKS[snippet.kind](self, snippet)

    def run(self, snippet: Snippet) -> None:
        for line, shown in commands(snippet.text):
            ended = self._ended(line)
            said = f"{snippet}: {line}\n{ended.stdout}"
            assert (ended.returncode == 0) != ("error: " in (shown or "")), said
            assert shown is None or agrees(ended.stdout, shown), f"{said}\n--- shown:\n{shown}"

    def _ended(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a line in a shell; a command of ours alone in this process, which has imported what it needs."""
        if re.fullmatch(r"lambda-layers( [\w./:=@-]+)*", line):
            return command.run(line.split()[1:], folder=self.here, environment=self._environment, merged=True)
        return subprocess.run(
            ["bash", "-c", f'{line}\ncode=$?; pwd >"$0"; exit $code', self._where],
            cwd=self.here,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )

    def load(self, snippet: Snippet) -> None:
        path = self.here / (snippet.title or "lambda-layers.yml")
        variables = {"STAGE": "dev", "REGION": "eu-west-1"}
        assert load(path, text=snippet.text, shown=str(snippet), variables=variables).layers

    def validate_hooks(self, snippet: Snippet) -> None:
        path = self.folder.parent / "pre-commit.yaml"
        path.write_text(snippet.text)
        subprocess.run([BIN / "pre-commit", "validate-config", path], check=True)


CHECKS = {
    "console": Reader.run,
    "bash": lambda _, snippet: subprocess.run(["bash", "-n"], input=snippet.text, text=True, check=True),
    "manifest": Reader.load,
    "pre-commit": Reader.validate_hooks,
    "workflow": lambda *_: None,  # all together, below
    "json": lambda _, snippet: json.loads(snippet.text),
    "toml": lambda _, snippet: tomllib.loads(snippet.text),
    "yaml": lambda _, snippet: yaml.compose(snippet.text),
    "python": lambda _, snippet: compile(textwrap.dedent(snippet.text), str(snippet), "exec"),
    "hcl": lambda _, snippet: hcl2.loads(snippet.text),
    "text": lambda _, snippet: _is_a_file(snippet),
    "mermaid": lambda _, snippet: _is_a_diagram(snippet),
}


def _is_a_file(snippet: Snippet) -> None:
    assert snippet.title, f"{snippet}: nothing can check it; give it a title, or say why above it"


def _is_a_diagram(snippet: Snippet) -> None:
    assert snippet.text.split()[0] in DIAGRAMS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_holds_what_it_says(page, tmp_path, index):
    reader = Reader(tmp_path, index)
    for snippet in snippets(page):
        reader.follow(snippet)


@pytest.mark.parametrize("snippet", [snippet for snippet in EVERY if snippet.language == "console"], ids=str)
def test_the_command_line_takes_every_command_of_ours_that_is_shown(snippet):
    for line, _ in commands(snippet.text):
        for arguments in _ours(line):
            parse(arguments)


def _ours(command):
    """The arguments of each `lambda-layers` in a shell's line."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    for location, word in enumerate(words):
        if word == "lambda-layers" and (location == 0 or words[location - 1] in {"&&", "|", ";"}):
            yield list(takewhile(lambda word: word[0] not in "|;&><", words[location + 1 :]))


def test_workflows_to_paste_are_valid_and_give_inputs_that_exist(tmp_path):
    workflows = [snippet for snippet in EVERY if snippet.kind == "workflow" and not snippet.excuse]
    assert {"README.md", "workflows.md"} <= {snippet.page.name for snippet in workflows}
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    for snippet in workflows:
        (folder / f"{snippet.page.stem}-{snippet.line}.yml").write_text(snippet.text)
        for job in yaml.safe_load(snippet.text)["jobs"].values():
            for step in job.get("steps", []):
                if step.get("uses", "").startswith("lambda-layer-pipeline/"):
                    assert set(step["with"]) <= {*ACTION["inputs"], "args"}, snippet
    # In an example a version says more than a digest.
    settings = {"rules": {"unpinned-uses": {"config": {"policies": {"*": "ref-pin"}}}}}
    (tmp_path / "zizmor.yml").write_text(yaml.safe_dump(settings))
    for tool in (
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", *folder.iterdir()],
        ["zizmor", "--offline", "--quiet", "--config", tmp_path / "zizmor.yml", tmp_path],
    ):
        ended = subprocess.run([BIN / tool[0], *tool[1:]], capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_output_agrees_only_with_what_is_shown():
    assert agrees("built web: 1.2 MB in 3 s\n", "built web: 4.5 MB in 0.1 s")
    assert agrees("a\nb\nc\nd\n", "a\n…\nd")
    assert agrees("a\nd\n", "a\n…\nd")
    assert agrees("warning: x; do y", "warning: …")
    assert not agrees("built web: 3 packages\n", "built web: 2 packages")
    assert not agrees("a\nb\n", "a")
    assert not agrees("a\nb\n", "a…")


def test_the_reference_is_what_the_code_says_of_itself(tmp_path):
    written = ROOT / "docs" / "reference"
    subprocess.run([sys.executable, written / "generate.py", tmp_path], check=True)
    pages = {path.name: path.read_text() for path in tmp_path.iterdir()}
    found = [*(path for path in written.iterdir() if path.is_file() and path.suffix != ".py"), LLMS]
    assert pages == {path.name: path.read_text() for path in found}, "run: make reference"
