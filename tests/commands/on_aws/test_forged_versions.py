"""Layer versions that claim to be what the manifest asks for, and are not."""

import io
import json
import re
import zipfile

import pytest
from deploying import MANIFEST, layers_of

from entrypoint.cli import main


@pytest.fixture
def wanted(client, capsys):
    """The hash that a deployment wrote into the description of tools:1."""
    assert main(["deploy"]) == 0
    capsys.readouterr()
    (version,) = client.list_layer_versions(LayerName="tools")["LayerVersions"]
    return re.search("deps:sha256:[0-9a-f]{64}$", version["Description"])[0]


def forge(client, name, description):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("python/evil.py", "print()")
    client.publish_layer_version(
        LayerName=name, Description=description, Content={"ZipFile": buffer.getvalue()}
    )


def test_a_description_cannot_carry_a_hash(project, wanted, pin, capsys):
    """A pull request with the hash of the good layer in its description, and a hostile pin."""
    text = MANIFEST.replace("tools: {", f"tools: {{description: 'x {wanted}', ")
    (project / "lambda-layers.yml").write_text(text)
    pin("tools.txt", "attrs", "6.6.6")
    assert main(["deploy"]) == 5
    assert "lambda-layers.yml:5:24: a description cannot contain 'deps:sha256:'" in capsys.readouterr().err


def test_a_hash_counts_only_at_the_end(client, wanted, aws, pin, capsys):
    """The same, published by another tool or an older version of this one."""
    pin("tools.txt", "attrs", "4.0")
    other = f"deps:sha256:{'0' * 64}"
    forge(client, "tools", f"x {wanted} {other}")
    forge(client, "tools", f"{wanted}, honestly")
    pin("tools.txt", "attrs", "3.0")
    assert main(["plan", "--detailed-exitcode"]) == 0
    assert "reuse    tools  version 3 -> version 1" in capsys.readouterr().out
    assert layers_of(aws, "api") == ["web-python313-x86_64:1", "tools:1"]


def test_content_that_is_not_what_was_built_here(client, wanted, project, capsys):
    """A version under the right hash, by a principal that may publish."""
    client.delete_layer_version(LayerName="tools", VersionNumber=1)
    forge(client, "tools", f"tools {wanted}")
    message = "tools:2 has other content than the archive that was built here"
    assert main(["plan"]) == 0
    assert message in capsys.readouterr().err
    assert main(["status"]) == 2  # api still has version 1
    assert message in capsys.readouterr().out
    assert main(["status", "--json"]) == 2
    found = json.loads(capsys.readouterr().out)["diagnostics"]
    assert message in " ".join(each["message"] for each in found)
    (project / "lambda-layers.yml").write_text(
        MANIFEST.replace("runtimes: [python3.13]}", "runtimes: [python3.12, python3.13], name: tools}")
    )
    assert main(["deploy"]) == 0
    (version, *_) = client.list_layer_versions(LayerName="tools")["LayerVersions"]
    client.delete_layer_version(LayerName="tools", VersionNumber=version["Version"])
    forge(client, "tools", version["Description"])
    capsys.readouterr()
    assert main(["plan"]) == 0
    assert message.replace("tools:2", f"tools:{version['Version'] + 1}") in capsys.readouterr().err
    for path in (project / ".lambda-layers" / "build").iterdir():  # as in a fresh checkout
        path.unlink()
    assert main(["plan"]) == 0
    assert "has other content" not in capsys.readouterr().err
