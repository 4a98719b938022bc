"""Layer versions of other accounts: what AWS would refuse is in the plan, before anything is published."""

import pytest
from deploying import MANIFEST

from entrypoint.cli import main

OWNER = "017000801446"
NAME = f"arn:aws:lambda:eu-west-1:{OWNER}:layer:Powertools"


@pytest.fixture
def listing(project):
    """List a layer version's ARN for `api`, after the layers of the manifest."""

    def write(arn, text=MANIFEST):
        (project / "lambda-layers.yml").write_text(text.replace("[web, tools]", f'[web, tools, "{arn}"]'))

    return write


@pytest.fixture
def attached(client):
    """The layers of a function, as boto3 sees them."""

    def read(name):
        found = client.get_function_configuration(FunctionName=name).get("Layers", [])
        return [each["Arn"] for each in found]

    return read


def published(client):
    return client.list_layer_versions(LayerName="tools")["LayerVersions"]


def refused(capsys, *, code=11):
    assert main(["plan"]) == code
    capsys.readouterr()
    assert main(["deploy"]) == code
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("version", [8, 9])
def test_a_version_that_is_gone_or_not_shared(aws, listing, client, attached, capsys, version):
    aws.declare_layer_version("Powertools", account=OWNER, version=8, shared_with=("999999999999",))
    listing(f"{NAME}:{version}")
    said = refused(capsys)
    assert (
        f"lambda-layers.yml:7:3: eu-west-1: api would be given {NAME}:{version}, which does not exist" in said
    )
    assert "list a version that this account may read" in said
    assert published(client) == []
    assert attached("api") == attached("report-daily") == []


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        (
            {"architectures": ["arm64"]},
            "api runs on x86_64, but {} is for arm64; list a layer version for x86_64",
        ),
        (
            {"runtimes": ["python3.11", "python3.12"]},
            "api runs on python3.13, but {} is for python3.11, python3.12",
        ),
    ],
)
def test_a_version_for_something_else(aws, listing, client, attached, capsys, facts, problem):
    aws.declare_layer_version("Powertools", account=OWNER, version=7, **facts)
    listing(f"{NAME}:7")
    assert problem.format(f"{NAME}:7") in refused(capsys)
    assert published(client) == []
    assert attached("api") == []


def test_a_version_that_a_function_has_and_that_its_owner_deleted(aws, client, attached, capsys):
    arn = aws.declare_layer_version("Klayers", account=OWNER, version=4)
    aws.declare_function("report-weekly", runtime="python3.12", layers=[arn])
    aws.cloud.region(next(scope for scope in aws.cloud.regions if scope.account == OWNER)).layers.clear()
    said = refused(capsys)
    assert (
        f"report-weekly has {arn}, which does not exist or is not shared with this account; remove it" in said
    )
    assert published(client) == []
    assert main(["status"]) == 2
    assert f"report-weekly: has {arn}, which does not exist" in " ".join(capsys.readouterr().out.split())
    assert attached("report-weekly") == [arn]


def test_the_problems_of_several_functions_are_reported_at_once(aws, project, capsys):
    arn = aws.declare_layer_version("Klayers", account=OWNER, version=4, shared_with=())
    text = f'  "report-*": {{layers: [web, "{arn}"]}}\n  api: {{layers: [web, "{NAME}:1"]}}\n'
    aws.declare_function("report-weekly", runtime="python3.12")
    manifest = MANIFEST.partition("functions:\n")[0] + "functions:\n" + text
    (project / "lambda-layers.yml").write_text(manifest)
    said = refused(capsys)
    assert f"report-daily, report-weekly would be given {arn}" in said
    assert f"api would be given {NAME}:1" in said


def test_each_version_is_read_once_for_a_region_and_not_where_nothing_changes(aws, listing, attached):
    arn = aws.declare_layer_version("Powertools", account=OWNER, version=7)
    text = MANIFEST.replace('"report-*": {layers: [web]', f'"report-*": {{layers: [web, "{arn}"]')
    listing(arn, text)
    assert main(["deploy"]) == 0
    assert attached("api")[-1] == attached("report-daily")[-1] == arn
    read = [call.operation for call in aws.call_log].count("GetLayerVersionByArn")
    assert read == 1
    assert main(["plan", "--detailed-exitcode"]) == 0
    assert [call.operation for call in aws.call_log].count("GetLayerVersionByArn") == read


def test_the_region_in_an_arn_is_replaced(aws, listing, attached):
    for region in ("eu-west-1", "us-east-1"):
        aws.declare_layer_version("Powertools", account=OWNER, version=7, region=region)
    aws.declare_function("api", region="us-east-1")
    aws.declare_function("report-daily", region="us-east-1", runtime="python3.12")
    text = MANIFEST.replace("[eu-west-1]", "[eu-west-1, us-east-1]")
    listing(f"{NAME}:7".replace("eu-west-1", "{region}"), text)
    assert main(["deploy"]) == 0
    assert attached("api")[-1] == f"{NAME}:7"
    assert main(["status"]) == 0


def test_a_rollback_reads_them_too(aws, client, attached, pin, capsys):
    for version in ("3.0", "4.0"):
        pin("tools.txt", "attrs", version)
        assert main(["deploy"]) == 0
    arn = aws.declare_layer_version("Klayers", account=OWNER, version=4)
    client.update_function_configuration(FunctionName="api", Layers=[*attached("api"), arn])
    aws.cloud.region(next(scope for scope in aws.cloud.regions if scope.account == OWNER)).layers.clear()
    before = attached("api")
    assert main(["rollback", "--layer", "tools", "--to", "1"]) == 11
    assert f"api has {arn}, which does not exist" in capsys.readouterr().err
    assert attached("api") == before


def test_code_and_layers_near_the_limit_are_a_warning(aws, listing, capsys, attached):
    aws.declare_function("large", code_size_unzipped=150_000_000)
    arn = aws.declare_layer_version("Models", account=OWNER, version=1, size_unzipped=90_000_000)
    listing(arn, MANIFEST + f'  large: {{layers: [web, "{arn}"]}}\n')
    assert main(["plan"]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "large has at least 50.0 MB of code and 30.0 MB of layers, zipped; AWS allows 262.1 MB" in said
    assert "unzipped sizes are not known here" in said
    assert "api has at least" not in said
    assert main(["deploy"]) == 0
    assert attached("large")[-1] == arn
    capsys.readouterr()
    assert main(["plan"]) == 0
    assert "at least" not in capsys.readouterr().err
