"""`plan --out` and `deploy --plan`: what was reviewed is done, or nothing."""

import io
import json
import zipfile

import pytest
from deploying import MANIFEST, UPDATE, layers_of

from entrypoint.cli import main


@pytest.fixture
def code():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.py", "pass")
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def _planned(project):
    assert main(["plan", "--out", "plan.json"]) == 0
    assert json.loads((project / "plan.json").read_text())["changed"]


def test_what_was_reviewed_is_done(aws, written):
    assert main(["deploy", "--plan", "plan.json"]) == 0
    assert written() == ["PublishLayerVersion"] * 3 + [UPDATE] * 2
    assert layers_of(aws, "api") == ["web-python313-x86_64:1", "tools:1"]


@pytest.mark.parametrize("what", ["lock", "layers", "code", "entry", "settings", "keep", "keep_versions"])
def test_nothing_is_done_where_something_has_changed(aws, client, pin, project, code, written, capsys, what):
    own = aws.declare_layer_version("own", account="123456789012")
    manifest = project / "lambda-layers.yml"
    expected = {
        "lock": "eu-west-1: layer tools is not as it was when the plan was reviewed: dependencyHash",
        "layers": "eu-west-1: function api is not as it was when the plan was reviewed: before, after",
        "code": "eu-west-1: function api is not as it was when the plan was reviewed: codeSha256",
        "entry": "eu-west-1: function report-daily was in it, and is not now",
        "settings": "eu-west-1: function api is not as it was when the plan was reviewed: changes, settings",
        "keep": "eu-west-1 is not as it was when the plan was reviewed: keep",
        "keep_versions": "eu-west-1 is not as it was when the plan was reviewed: keepVersions",
    }[what]
    if what == "lock":
        pin("tools.txt", "attrs", "4.0")
    elif what == "layers":
        client.update_function_configuration(FunctionName="api", Layers=[own])
    elif what == "code":
        client.update_function_code(FunctionName="api", ZipFile=code)
    elif what == "entry":
        manifest.write_text(MANIFEST.partition('  "report')[0])
    elif what == "keep":  # would delete versions that nobody saw in the plan
        manifest.write_text(MANIFEST.replace("lock: web.txt", "keep: 1, lock: web.txt"))
    elif what == "keep_versions":
        manifest.write_text(MANIFEST.replace("tools]}", "tools], keep_versions: 1}", 1))
    else:
        manifest.write_text(MANIFEST.replace("tools]}", "tools], concurrency: {reserved: 5}}", 1))
    written()
    assert main(["deploy", "--plan", "plan.json"]) == 11
    assert expected in capsys.readouterr().err
    assert written() == []


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"regions": [1]}', "[" * 100_000, '{"regions": [{"region": 1}]}']
)
def test_what_is_not_a_plan(project, text, written, capsys):
    (project / "plan.json").write_text(text)
    written()
    assert main(["deploy", "--plan", "plan.json"]) in {4, 11}
    said = capsys.readouterr().err
    assert "plan.json is not a plan" in said or "is not in the plan that was reviewed" in said
    assert "Traceback" not in said
    assert main(["deploy", "--plan", "missing.json"]) == 4
    assert written() == []
