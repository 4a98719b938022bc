"""The bill of materials beside an archive: valid, the same for the same archive, true to what is in it."""

import json

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from package_index import make_wheel, sha256
from planning import layer, read

from entrypoint.layer.assemble import assemble
from entrypoint.layer.inspect import inspect
from entrypoint.layer.layout import lay_out
from entrypoint.layer.repository_files import repository_files
from entrypoint.layer.repository_part import repository_part
from entrypoint.report.sbom import sbom
from entrypoint.wheels.fetch import Wheel

WHEELS = {
    "App": {
        "requires": ("speedup>=2; python_version > '3'", "colour; os_name == 'nt'", "docs; extra == 'x'")
    },
    "speedup": {"metadata": ("License-Expression: Apache-2.0 OR MIT",)},
    "colour": {"metadata": ("License: UNKNOWN", "Classifier: License :: OSI Approved :: BSD License")},
    "docs": {"metadata": ("License: see COPYING, or ask me",)},
}


@pytest.fixture
def target():
    _, (found,) = read("layers:\n" + layer("web"))
    return found.targets[0]


@pytest.fixture
def archive(tmp_path, target):
    def parts():
        for name, settings in WHEELS.items():
            path = make_wheel(tmp_path / "wheels", name, "2.0", **settings)
            wheel = Wheel(name=name, version="2.0", filename=path.name, sha256=sha256(path), path=path)
            yield lay_out(inspect(wheel, tmp_path / "cache"), target.platform.runtime)

    return assemble(list(parts()), tmp_path / f"{target}.zip")


@pytest.fixture
def document(archive, target):
    text = sbom(archive, target)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    return json.loads(text)


def test_packages_with_their_wheels_and_licences(document, tmp_path):
    by_name = {each["name"]: each for each in document["components"]}
    assert by_name["App"]["purl"] == "pkg:pypi/app@2.0"
    (wheel,) = (tmp_path / "wheels").glob("app-*.whl")
    assert by_name["App"]["hashes"] == [{"alg": "SHA-256", "content": sha256(wheel)}]
    assert by_name["App"]["properties"] == [{"name": "python:wheel", "value": "app-2.0-py3-none-any.whl"}]
    assert "licenses" not in by_name["App"]
    assert by_name["speedup"]["licenses"] == [{"expression": "Apache-2.0 OR MIT"}]
    assert by_name["colour"]["licenses"] == [{"license": {"name": "BSD License"}}]
    assert by_name["docs"]["licenses"] == [{"license": {"name": "see COPYING, or ask me"}}]


def test_what_needs_what_on_this_runtime(document, target):
    needs = {each["ref"]: each.get("dependsOn", []) for each in document["dependencies"]}
    assert needs["pkg:pypi/app@2.0"] == ["pkg:pypi/speedup@2.0"]
    assert len(needs[str(target)]) == 4


def test_it_says_which_archive_it_is_about(document, archive, target):
    layer = document["metadata"]["component"]
    assert (layer["name"], layer["hashes"][0]["content"]) == (str(target), archive.sha256.hex())
    assert {each["value"] for each in layer["properties"]} == {"python3.13", "x86_64"}


def test_the_same_archive_has_the_same_bill(document, archive, target):
    assert json.loads(sbom(archive, target)) == document
    assert "timestamp" not in document["metadata"]


def test_files_of_the_repository_are_in_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "__init__.py").write_text("")
    _, (found,) = read("layers:\n" + layer("web", more=f", include: [{tmp_path}/own]"))
    own = found.targets[0].layer
    archive = assemble([repository_part(own, repository_files(own))], tmp_path / "web.zip")
    (component,) = json.loads(sbom(archive, found.targets[0]))["components"]
    assert (component["type"], "purl" in component) == ("application", False)
