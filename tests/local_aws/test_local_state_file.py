"""`--aws local` keeps its state between runs."""

import json
import urllib.request

import pytest

from entrypoint.errors import MachineError
from entrypoint.local_aws.server import LocalAws


@pytest.fixture
def state_file(tmp_path):
    return tmp_path / "deep" / "state.json"


def everything(client):
    answers = [
        client.get_function(FunctionName="api"),
        client.get_function(FunctionName="api", Qualifier="live"),
        client.list_layer_versions(LayerName="web"),
        client.get_layer_version(LayerName="web", VersionNumber=2),
        client.get_layer_version_policy(LayerName="web", VersionNumber=2),
        client.get_alias(FunctionName="api", Name="live"),
        client.get_provisioned_concurrency_config(FunctionName="api", Qualifier="live"),
    ]
    for answer in answers:
        del answer["ResponseMetadata"]
        answer.get("Content", {}).pop("Location", None)  # has the port of this run
    return answers


def create_one_of_everything(aws, client, make_zip):
    content = {"ZipFile": make_zip({"python/a.py": b"a"})}
    for _ in range(2):
        layer = client.publish_layer_version(
            LayerName="web", Content=content, Description="d", CompatibleRuntimes=["python3.13"]
        )
    client.delete_layer_version(LayerName="web", VersionNumber=1)
    client.add_layer_version_permission(
        LayerName="web", VersionNumber=2, StatementId="s", Action="lambda:GetLayerVersion", Principal="*"
    )
    aws.declare_function("api", tags={"team": "web"})
    client.update_function_configuration(FunctionName="api", Layers=[layer["LayerVersionArn"]])
    client.get_function(FunctionName="api")
    client.publish_version(FunctionName="api")
    client.create_alias(FunctionName="api", Name="live", FunctionVersion="1")
    client.put_function_concurrency(FunctionName="api", ReservedConcurrentExecutions=5)
    client.put_provisioned_concurrency_config(
        FunctionName="api", Qualifier="live", ProvisionedConcurrentExecutions=1
    )


def test_a_second_run_reads_the_state_of_the_first(state_file, connect, make_zip):
    with LocalAws(state_file=state_file) as aws:
        client = connect(aws)
        create_one_of_everything(aws, client, make_zip)
        before = everything(client)

    with LocalAws(state_file=state_file) as aws:
        aws.declare_function("api")
        client = connect(aws)
        assert everything(client) == before
        content = {"ZipFile": make_zip({"python/a.py": b"a"})}
        assert client.publish_layer_version(LayerName="web", Content=content)["Version"] == 3
    assert {path.name for path in state_file.parent.iterdir()} == {state_file.name, "state"}


def test_the_archives_of_existing_versions_are_kept(state_file, connect, make_zip):
    archives = [make_zip({"python/a.py": text}) for text in (b"a", b"b")]
    with LocalAws(state_file=state_file) as aws:
        client = connect(aws)
        for content in archives:
            client.publish_layer_version(LayerName="web", Content={"ZipFile": content})
        client.delete_layer_version(LayerName="web", VersionNumber=1)
    with LocalAws(state_file=state_file) as aws:
        content = connect(aws).get_layer_version(LayerName="web", VersionNumber=2)["Content"]
        assert content["Location"].startswith(aws.endpoint_url)
        with urllib.request.urlopen(content["Location"]) as answer:
            assert answer.read() == archives[1]
    (kept,) = (state_file.parent / "state").iterdir()
    assert kept.read_bytes() == archives[1]


def test_an_update_that_was_in_progress_ends_in_the_next_run(state_file, connect, clock):
    with LocalAws(state_file=state_file, clock=clock, update_seconds=30) as aws:
        client = connect(aws)
        aws.declare_function("api")
        client.update_function_configuration(FunctionName="api", MemorySize=256)
    clock.pass_seconds(30)
    with LocalAws(state_file=state_file, clock=clock) as aws:
        client = connect(aws)
        configuration = client.get_function_configuration(FunctionName="api")
        assert (configuration["LastUpdateStatus"], configuration["MemorySize"]) == ("Successful", 256)


@pytest.mark.parametrize("text", [json.dumps({"schema": 0, "regions": []}), "{", "[]", "{}"])
def test_a_file_of_another_version_or_a_damaged_one_is_refused(state_file, text):
    state_file.parent.mkdir()
    state_file.write_text(text)
    with pytest.raises(MachineError, match="delete the file to reset the state"):
        LocalAws(state_file=state_file)
