"""Custom runtimes and extensions in AWS's emulator: layers without findings start, and refused ones do not."""

import pytest
from lambda_emulator import LambdaEmulator, NotStartedError
from layers import for_machine, shared_object, target
from snippets import ROOT, snippets

from entrypoint.layer.assemble import assemble
from entrypoint.layer.repository_files import repository_files
from entrypoint.layer.repository_part import repository_part
from entrypoint.layer.verify import verify
from entrypoint.manifest.runtimes import RUNTIMES, Platform

pytestmark = [pytest.mark.engine, pytest.mark.network]

PYTHON = "#!/var/lang/bin/python3.13\n"  # the image has no curl
BOOTSTRAP = f"""{PYTHON}
import os, subprocess
from urllib.request import urlopen

runtime = f"http://{{os.environ['AWS_LAMBDA_RUNTIME_API']}}/2018-06-01/runtime/invocation"
while True:
    with urlopen(f"{{runtime}}/next") as event:
        request, given = event.headers["Lambda-Runtime-Aws-Request-Id"], event.read()
    program = f"{{os.environ['LAMBDA_TASK_ROOT']}}/{{os.environ['_HANDLER']}}"
    answer = subprocess.run([program], input=given, capture_output=True, check=True).stdout
    urlopen(f"{{runtime}}/{{request}}/response", answer).read()
"""
EXTENSION = f"""{PYTHON}
import json, os, pathlib, sys
from urllib.request import Request, urlopen

extension = f"http://{{os.environ['AWS_LAMBDA_RUNTIME_API']}}/2020-01-01/extension"
name = {{"Lambda-Extension-Name": pathlib.Path(sys.argv[0]).name}}
registered = urlopen(Request(f"{{extension}}/register", json.dumps({{"events": ["INVOKE"]}}).encode(), name))
me = {{"Lambda-Extension-Identifier": registered.headers["Lambda-Extension-Identifier"]}}
pathlib.Path("/tmp/registered").touch()
while True:
    urlopen(Request(f"{{extension}}/event/next", headers=me)).read()
"""
CURL = f"""{PYTHON}
import sys
from urllib.request import urlopen

*options, url = sys.argv[1:]
sent = options[options.index("-d") + 1].encode() if "-d" in options else None
answer = urlopen(url, sent)
if "-D" in options:
    with open(options[options.index("-D") + 1], "w") as headers:
        headers.writelines(f"{{name}}: {{value}}\\r\\n" for name, value in answer.headers.items())
sys.stdout.buffer.write(answer.read())
"""
ECHO = '#!/bin/sh\necho "{\\"got\\": $(cat)}"\n'
HANDLER = "import os\ndef handler(event, context): return os.path.exists('/tmp/registered')\n"


@pytest.fixture(scope="module")
def emulator(engine, pytestconfig):
    return LambdaEmulator(engine, pytestconfig.cache.mkdir("lambda-emulator"))


@pytest.fixture
def build(emulator, tmp_path):
    def build(runtime, files, links=None):
        """Make a layer of files with their modes, and of links; return its archive and the rules it breaks."""
        content = tmp_path / "content"
        for name, (written, mode) in files.items():
            path = content / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(written if isinstance(written, bytes) else written.encode())
            path.chmod(mode)
        for name, leads_to in (links or {}).items():
            (content / name).symlink_to(leads_to)
        made = target(Platform(RUNTIMES[runtime], emulator.architecture), content=content)
        archive = assemble([repository_part(made.layer, repository_files(made.layer))], tmp_path / "a.zip")
        return archive.path, [finding.rule for finding in verify(archive, made)]

    return build


def test_a_custom_runtime_starts(build, emulator):
    archive, rules = build("provided.al2023", {"bootstrap": (BOOTSTRAP, 0o755)})
    assert rules == []
    assert emulator.invoke("provided.al2023", archive, ECHO, {"a": 1}) == {"got": {"a": 1}}


@pytest.mark.parametrize(
    ("written", "mode", "reason"),
    [
        (BOOTSTRAP, 0o644, "permission denied"),
        (BOOTSTRAP.removeprefix(PYTHON), 0o755, "exec format error"),
        (BOOTSTRAP.replace("\n", "\r\n"), 0o755, "no such file or directory"),
    ],
    ids=["not-executable", "no-shebang", "windows"],
)
def test_a_refused_custom_runtime_does_not(build, emulator, written, mode, reason):
    archive, rules = build("provided.al2023", {"bootstrap": (written, mode)})
    assert rules == ["bootstrap"]
    with pytest.raises(NotStartedError, match=f"/opt/bootstrap: {reason}"):
        emulator.invoke("provided.al2023", archive, ECHO)


def test_a_custom_runtime_for_another_machine_does_not(build, emulator, tmp_path):
    program = for_machine(shared_object(tmp_path), 2)  # SPARC
    archive, rules = build("provided.al2023", {"bootstrap": (program, 0o755)})
    assert rules == ["elf-machine"]
    with pytest.raises(NotStartedError, match="exec format error"):
        emulator.invoke("provided.al2023", archive, ECHO)


@pytest.mark.parametrize(
    ("files", "links"),
    [
        ({"extensions/monitor": (EXTENSION, 0o755), "extensions/lib/readme": ("text", 0o644)}, {}),
        (
            {"programs/monitor": (EXTENSION, 0o755), "extensions/lib/x": ("", 0o644)},
            {"extensions/a": "../programs/monitor"},
        ),
    ],
    ids=["file-and-folder", "link"],
)
def test_extensions_start(build, emulator, files, links):
    archive, rules = build("python3.13", files, links)
    assert rules == []
    assert emulator.invoke("python3.13", archive, HANDLER) is True


@pytest.mark.parametrize(
    ("written", "mode"),
    [("a readme", 0o644), ("a readme", 0o755), (EXTENSION.replace("\n", "\r\n"), 0o755)],
    ids=["not-executable", "no-shebang", "windows"],
)
def test_one_file_that_is_no_extension_stops_the_function(build, emulator, written, mode):
    files = {"extensions/monitor": (EXTENSION, 0o755), "extensions/README.md": (written, mode)}
    archive, rules = build("python3.13", files)
    assert rules == ["extension"]
    with pytest.raises(NotStartedError, match=r"Agent README\.md .* failed to launch"):
        emulator.invoke("python3.13", archive, HANDLER)


@pytest.fixture(scope="module")
def page():
    """The files that docs/content.md shows."""
    return {each.title: each.text for each in snippets(ROOT / "docs" / "content.md") if each.title}


def test_the_documented_custom_runtime(build, emulator, page):
    """With a program in place of curl, which the image used for provided.al2023 does not have."""
    files = {"bootstrap": (page["runtime/bootstrap"], 0o755)}
    archive, rules = build("provided.al2023", files | {"bin/curl": (CURL, 0o755)})
    assert rules == []
    answer = emulator.invoke("provided.al2023", archive, page["function/job"], {"order": 7})
    assert answer == {"received": {"order": 7}}


def test_the_documented_extension(build, emulator, page):
    archive, rules = build("python3.13", {"extensions/monitor": (page["monitor/extensions/monitor"], 0o755)})
    assert rules == []
    assert emulator.invoke("python3.13", archive, page["function/app.py"], {"name": "Ada"}) == {
        "hello": "Ada"
    }
    assert "External agent monitor" in emulator.log
    assert "extension: INVOKE" in emulator.log
