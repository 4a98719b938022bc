"""Every kind of function in one deployment: what its callers reach has the new layer, or the report says why not."""

import json

import pytest
from deploying import layers_of

from entrypoint.cli import main

MANIFEST = """\
version: 1
regions: [eu-west-1]
layers:
  web: {requirements: [six], lock: web.txt, runtimes: [python3.13]}
custom_runtimes: {company-python: python3.13}
functions:
  aliased: {layers: [web], aliases: [live]}
  durable: {layers: [web], aliases: [live]}
  "*": {layers: [web]}
"""
PROVIDER = "arn:aws:lambda:eu-west-1:123456789012:capacity-provider:fleet"
MANAGED = {
    "CapacityProviderConfig": {
        "LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": PROVIDER}
    }
}
DURABLE = {"DurableConfig": {"ExecutionTimeout": 3600}}
CALLED = {
    "plain": {},
    "aliased": {"Qualifier": "live"},
    "managed": {},
    "durable": {"Qualifier": "live"},
    "custom": {},
    "isolated": {"TenantId": "blue"},
}
"""How callers invoke each function that is updated."""
SKIPPED = {
    "replica": "is a replica of Lambda@Edge, which cannot be updated",
    "image": "is a container image, which cannot have layers",
    "node": "runs on nodejs24.x, for which no layer is built",
    "old": "runs on python3.8, for which no layer is built",
    "other-runtime": "runs on the customer-managed runtime other:stable, for which no layer is built",
}


@pytest.fixture(autouse=True)
def _functions(aws, client, project):
    (project / "lambda-layers.yml").write_text(MANIFEST)
    for functions in aws.cloud.regions.values():
        functions.functions.clear()

    def on_runtime(name):
        runtime = {"RuntimeArn": aws.declare_runtime(name, "stable"), "RuntimeAlias": "stable"}
        return {"Runtime": "custom", "RuntimeConfig": runtime}

    for name, settings in {
        "plain": {},
        "aliased": {},
        "managed": MANAGED,
        "durable": DURABLE,
        "custom": on_runtime("company-python"),
        "isolated": {"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}},
        "replica": {"MasterArn": "arn:aws:lambda:us-east-1:123456789012:function:edge:1"},
        "node": {"Runtime": "nodejs24.x"},
        "old": {"Runtime": "python3.8"},
        "other-runtime": on_runtime("other"),
    }.items():
        aws.declare_function(name, settings=settings)
    aws.declare_function("image", package_type="Image")
    client.publish_version(FunctionName="managed", PublishTo="LATEST_PUBLISHED")
    aws.declare_alias("aliased", "live")
    aws.declare_alias("durable", "live")
    aws.declare_executions("durable", "RUNNING", "order-1")


@pytest.fixture
def reached(aws, client):
    """The layers that the callers of each function reach, as NAME:VERSION."""
    seen = {}

    def answer(name):
        def handler(request):
            seen[name] = [arn.partition(":layer:")[2] for arn in request.layers]
            return b"{}"

        return handler

    for name in CALLED:
        aws.answer_invocations(name, answer(name))

    def call():
        for name, how in CALLED.items():
            client.invoke(FunctionName=name, **how)
        return dict(seen)

    return call


def everyone(layer):
    return {name: [layer] for name in CALLED}


def test_callers_of_each_kind_reach_the_new_layer(aws, capsys, pin, reached, written):
    assert main(["deploy", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    (region,) = done["regions"]
    assert {each["name"]: each["status"] for each in region["functions"]} == dict.fromkeys(CALLED, "updated")
    assert reached() == everyone("web:1")
    said = [each["message"] for each in done["diagnostics"]]
    assert [f"{name} {why}" for name, why in SKIPPED.items() if f"{name} {why}" not in said] == []
    assert "1 running execution of durable would go on with its new layers" in said
    assert all(layers_of(aws, name) == [] for name in SKIPPED)

    pin("web.txt", "six", "2.0")
    assert main(["deploy"]) == 0
    assert reached() == everyone("web:2")
    written()
    assert main(["deploy"]) == 0
    assert written() == []
    assert main(["status"]) == 0
    assert main(["rollback", "--layer", "web", "--to", "1"]) == 0
    assert reached() == everyone("web:1")
