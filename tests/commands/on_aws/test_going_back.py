"""`rollback` and `prune`: the way back, and what is no longer needed for it."""

from datetime import UTC, datetime, timedelta

import pytest
from deploying import MANIFEST, UPDATE, layers_of

from entrypoint.aws.model import LayerVersion
from entrypoint.cli import main
from entrypoint.release.prune import superfluous


@pytest.fixture
def three_versions(aws, pin):
    """Deploy three times, each time with another six."""
    for version in ("1.0", "2.0", "3.0"):
        pin("web.txt", "six", version)
        assert main(["deploy"]) == 0


def numbers(aws, name):
    (region,) = (held for held in aws.cloud.regions.values() if name in held.layers)
    return sorted(region.layers[name].versions)


def test_functions_go_back_to_the_version_before(aws, three_versions, capsys, written):
    assert layers_of(aws, "api") == ["web-python313-x86_64:3", "tools:1"]
    written()
    assert main(["rollback", "--layer", "web"]) == 0
    assert written() == [UPDATE, UPDATE]
    assert layers_of(aws, "api") == ["web-python313-x86_64:2", "tools:1"]
    assert layers_of(aws, "report-daily") == ["web-python312-x86_64:2"]
    assert main(["rollback", "--layer", "web-python313-x86_64", "--to", "1"]) == 0
    assert layers_of(aws, "api") == ["web-python313-x86_64:1", "tools:1"]
    assert layers_of(aws, "report-daily") == ["web-python312-x86_64:2"]
    assert main(["deploy"]) == 0  # which goes forward again: nothing in the manifest changed
    assert layers_of(aws, "api") == ["web-python313-x86_64:3", "tools:1"]


def test_there_is_nothing_before_the_first_version(aws, three_versions, capsys, written):
    written()
    assert main(["rollback"]) == 11
    assert "eu-west-1: tools has no version before 1; its versions are 1" in capsys.readouterr().err
    assert main(["rollback", "--layer", "web", "--to", "9"]) == 11
    assert "web-python312-x86_64 has no version 9; its versions are 3, 2, 1" in capsys.readouterr().err
    assert main(["rollback", "--layer", "wbe"]) == 4
    assert "no layer wbe; choose from" in capsys.readouterr().err
    assert written() == []


def test_a_rollback_of_one_layer_where_another_keeps_few_versions(project, client, capsys):
    """It used to end in a KeyError of the layer that was not rolled back, and prunes nothing."""
    entries = [f"  {name}: {{content: {name}, runtimes: [python3.13], keep: 1}}" for name in ("a", "b")]
    text = "\n".join(["version: 1", "regions: [eu-west-1]", "layers:", *entries, "functions:"])
    (project / "lambda-layers.yml").write_text(text + "\n  api: {layers: [a, b]}\n")
    for number in ("1", "2", "3"):
        for name in ("a", "b"):
            (project / name / "python").mkdir(parents=True, exist_ok=True)
            (project / name / "python" / f"{name}.py").write_text(f"number = {number}\n")
        assert main(["deploy"]) == 0
    published = [client.list_layer_versions(LayerName=name)["LayerVersions"] for name in ("a", "b")]
    assert main(["rollback", "--layer", "a"]) == 0
    layers = client.get_function_configuration(FunctionName="api")["Layers"]
    assert [layer["Arn"].split(":layer:")[1] for layer in layers] == ["a:2", "b:3"]
    assert [client.list_layer_versions(LayerName=name)["LayerVersions"] for name in ("a", "b")] == published
    assert "Traceback" not in capsys.readouterr().err


class TestPrune:
    @pytest.fixture(autouse=True)
    def _old(self, aws, three_versions):  # noqa: ARG002 - they have to be there
        """All that was published was published long ago."""
        aws.cloud.clock = lambda: datetime.now(tz=UTC).timestamp()
        for region in aws.cloud.regions.values():
            for layer in region.layers.values():
                for version in layer.versions.values():
                    object.__setattr__(version, "created", "2020-01-01T00:00:00.000+0000")

    def test_what_nobody_needs_is_deleted(self, aws, capsys):
        assert main(["prune", "--keep", "1"]) == 0
        assert numbers(aws, "web-python313-x86_64") == [3]
        assert numbers(aws, "tools") == [1]
        told = capsys.readouterr().out
        assert "deleted in eu-west-1: web-python312-x86_64:2, web-python312-x86_64:1" in told
        assert main(["prune", "--keep", "1"]) == 0
        assert capsys.readouterr().out == "nothing to delete\n"

    def test_what_a_function_or_a_published_version_has_stays(self, aws, client):
        assert main(["rollback", "--layer", "web", "--to", "1"]) == 0
        client.publish_version(FunctionName="api")
        assert main(["deploy"]) == 0
        assert main(["prune", "--keep", "1"]) == 0
        assert numbers(aws, "web-python313-x86_64") == [1, 3]  # a published version has the first
        assert numbers(aws, "web-python312-x86_64") == [3]

    def test_what_the_manifest_asks_for_stays_though_no_function_has_it(self, aws, project, pin):
        pin("web.txt", "six", "1.0")  # back to the lock of the first version
        (project / "lambda-layers.yml").write_text(MANIFEST.partition("functions:")[0])
        for function in next(
            held for held in aws.cloud.regions.values() if held.functions
        ).functions.values():
            object.__setattr__(function.latest, "layers", ())
        assert main(["prune", "--keep", "1"]) == 0
        assert numbers(aws, "web-python313-x86_64") == [1, 3]

    def test_after_a_deployment_as_the_manifest_says(self, aws, project, pin):
        text = MANIFEST.replace("lock: web.txt,", "lock: web.txt, keep: 2,")
        (project / "lambda-layers.yml").write_text(text)
        pin("web.txt", "six", "4.0")
        assert main(["deploy"]) == 0
        assert numbers(aws, "web-python313-x86_64") == [3, 4]
        assert numbers(aws, "tools") == [1]

    def test_nothing_is_deleted_after_a_deployment_that_failed(self, aws, project, pin):
        text = MANIFEST.replace("lock: web.txt,", "lock: web.txt, keep: 1,")
        (project / "lambda-layers.yml").write_text(text)
        pin("web.txt", "six", "4.0")
        aws.fail_next_update("api")
        assert main(["deploy"]) == 12
        assert numbers(aws, "web-python313-x86_64") == [1, 2, 3, 4]


def test_a_young_version_stays_whoever_uses_it():
    now = datetime(2026, 11, 23, tzinfo=UTC)
    versions = [
        LayerVersion(
            arn=f"arn:{number}", version=number, description="", created=now - timedelta(minutes=age)
        )
        for number, age in ((4, 0), (3, 10), (2, 61), (1, 600))
    ]
    assert [each.version for each in superfluous(versions, frozenset({"arn:1"}), now)] == [2]
