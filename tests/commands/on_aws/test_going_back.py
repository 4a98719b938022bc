"""`prune`: what is no longer needed to go back."""

from datetime import UTC, datetime, timedelta

import pytest
from deploying import MANIFEST

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


class TestPrune:
    @pytest.fixture(autouse=True)
    def _old(self, aws, three_versions):  # noqa: ARG002 - they have to be there
        """All that was published was published long ago."""
        aws.cloud.clock = lambda: datetime.now(tz=UTC).timestamp()
        for region in aws.cloud.regions.values():
            for layer in region.layers.values():
                for version in layer.versions.values():
                    object.__setattr__(version, "created", "2020-01-01T00:00:00.000+0000")

    def test_a_dry_run_deletes_nothing(self, capsys, written):
        written()
        assert main(["prune", "--keep", "0", "--dry-run"]) == 0
        expected = "to delete in eu-west-1: web-python312-x86_64:2, web-python312-x86_64:1"
        assert expected in capsys.readouterr().out
        assert written() == []
        assert main(["prune", "--keep", "-1"]) == 4

    def test_what_nobody_needs_is_deleted(self, aws, capsys):
        assert main(["prune", "--keep", "0"]) == 0  # what is in use stays
        assert numbers(aws, "web-python313-x86_64") == [3]
        assert numbers(aws, "tools") == [1]
        told = capsys.readouterr().out
        assert "deleted in eu-west-1: web-python312-x86_64:2, web-python312-x86_64:1" in told
        assert main(["prune", "--keep", "1"]) == 0
        assert capsys.readouterr().out == "nothing to delete\n"

    def test_what_a_function_or_a_published_version_has_stays(self, aws, client):
        for name in ("web-python312-x86_64", "web-python313-x86_64"):
            assert main(["rollback", "--layer", name, "--to", "1"]) == 0
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
