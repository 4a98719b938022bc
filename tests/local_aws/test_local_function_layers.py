"""Functions, and the layers that they accept."""

import pytest

REFUSED = "InvalidParameterValueException"
ROLE = "arn:aws:iam::123456789012:role/api"


@pytest.fixture
def function(aws):
    return aws.declare_function("api")


def attached(awslambda, function):
    layers = awslambda.get_function_configuration(FunctionName=function).get("Layers", [])
    return [layer["Arn"] for layer in layers]


def test_a_declared_function_is_ready(aws, awslambda):
    layer = aws.declare_layer_version("tools", account="123456789012")
    aws.declare_function(
        "api",
        runtime="python3.12",
        architecture="arm64",
        layers=[layer],
        vpc={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"], "VpcId": "vpc-1"},
        tags={"team": "web"},
    )

    answer = awslambda.get_function(FunctionName="api")

    configuration = answer["Configuration"]
    assert (configuration["State"], configuration["LastUpdateStatus"]) == ("Active", "Successful")
    assert (configuration["Runtime"], configuration["Architectures"]) == ("python3.12", ["arm64"])
    assert (configuration["Version"], configuration["PackageType"]) == ("$LATEST", "Zip")
    assert [each["Arn"] for each in configuration["Layers"]] == [layer]
    assert configuration["VpcConfig"]["VpcId"] == "vpc-1"
    assert configuration["RevisionId"]
    assert answer["Tags"] == {"team": "web"}


def test_declaring_again_changes_nothing(aws, awslambda, function, publish):
    arn = publish()
    awslambda.update_function_configuration(FunctionName=function, Layers=[arn])
    aws.declare_function("api")
    assert attached(awslambda, function) == [arn]


@pytest.mark.parametrize(
    "name",
    [
        "api",
        "123456789012:function:api",
        "123456789012:api",
        "function:api",
        "arn:aws:lambda:eu-west-1:123456789012:function:api",
    ],
)
def test_every_form_of_a_function_name(awslambda, function, name):
    assert awslambda.get_function(FunctionName=name)["Configuration"]["FunctionArn"] == function


def test_missing_functions_are_not_found(awslambda, function, refused):
    for name in ("nobody", "api:7", "api:live", function.replace("eu-west-1", "us-east-1")):
        with refused(404, "ResourceNotFoundException"):
            awslambda.get_function(FunctionName=name)
    with refused(403, "AccessDeniedException"):
        awslambda.get_function(FunctionName=function.replace("123456789012", "210987654321"))
    with refused(400, REFUSED, "qualifier"):
        awslambda.get_function(FunctionName="api:1", Qualifier="2")


def test_a_list_of_layers_replaces_the_whole_list(awslambda, function, publish):
    web, data, third = publish("web"), publish("data"), publish("third")

    answer = awslambda.update_function_configuration(FunctionName=function, Layers=[web, data])
    assert [each["Arn"] for each in answer["Layers"]] == [web, data]
    assert all(each["CodeSize"] > 0 for each in answer["Layers"])
    awslambda.update_function_configuration(FunctionName=function, Layers=[data, third])
    assert attached(awslambda, function) == [data, third]
    awslambda.update_function_configuration(FunctionName=function, Description="no list")
    assert attached(awslambda, function) == [data, third]
    awslambda.update_function_configuration(FunctionName=function, Layers=[])
    assert attached(awslambda, function) == []


def test_five_layers_are_accepted_and_six_refused(awslambda, function, publish, refused):
    arns = [publish(f"layer-{number}") for number in range(6)]
    awslambda.update_function_configuration(FunctionName=function, Layers=arns[:5])
    with refused(400, REFUSED, "5 layers"):
        awslambda.update_function_configuration(FunctionName=function, Layers=arns)
    assert attached(awslambda, function) == arns[:5]


def test_a_layer_cannot_be_attached_twice(awslambda, function, publish, refused):
    first, second = publish(), publish()
    for arns in ([first, second], [first, first]):
        with refused(400, REFUSED, "versions of the same layer"):
            awslambda.update_function_configuration(FunctionName=function, Layers=arns)


def test_a_layer_version_must_exist_in_the_same_region(awslambda, client, function, publish, refused):
    arn = publish()
    with refused(400, REFUSED, f"{arn[:-1]}9 does not exist"):
        awslambda.update_function_configuration(FunctionName=function, Layers=[arn[:-1] + "9"])
    elsewhere = publish(connection=client(region="us-east-1"))
    with refused(400, REFUSED, "expected to be in region eu-west-1"):
        awslambda.update_function_configuration(FunctionName=function, Layers=[elsewhere])
    with refused(400, "ValidationException", "layers"):
        awslambda.update_function_configuration(FunctionName=function, Layers=["web:1"])
    with refused(400, REFUSED, "awslayer"):
        awslambda.update_function_configuration(FunctionName=function, Layers=["arn:aws:lambda:::awslayer:x"])


def test_a_deleted_version_stays_on_the_function_and_cannot_be_attached_again(
    awslambda, function, publish, refused
):
    arn = publish()
    awslambda.update_function_configuration(FunctionName=function, Layers=[arn])
    awslambda.delete_layer_version(LayerName="web", VersionNumber=1)

    assert attached(awslambda, function) == [arn]
    awslambda.update_function_configuration(FunctionName=function, Description="without a list: fine")
    assert attached(awslambda, function) == [arn]
    with refused(400, REFUSED, "does not exist"):
        awslambda.update_function_configuration(FunctionName=function, Layers=[arn])


def test_code_and_layers_share_one_limit(aws, awslambda, refused):
    one = aws.declare_layer_version("one", account="123456789012", size_unzipped=150_000_000)
    two = aws.declare_layer_version("two", account="123456789012", size_unzipped=112_000_000)
    aws.declare_function("exact", code_size_unzipped=144_000)
    aws.declare_function("over", code_size_unzipped=144_001)

    awslambda.update_function_configuration(FunctionName="exact", Layers=[one, two])
    with refused(400, REFUSED, "The actual size is 262144001 bytes."):
        awslambda.update_function_configuration(FunctionName="over", Layers=[one, two])


def test_an_image_cannot_have_layers(aws, awslambda, publish, refused):
    arn = publish()
    aws.declare_function("image", package_type="Image")
    shown = awslambda.get_function(FunctionName="image")
    assert shown["Configuration"]["PackageType"] == "Image"
    assert shown["Code"]["RepositoryType"] == "ECR"
    with refused(400, REFUSED, "packageType is Image"):
        awslambda.update_function_configuration(FunctionName="image", Layers=[arn])
    with refused(400, REFUSED, "packageType is Image"):
        awslambda.create_function(
            FunctionName="new", PackageType="Image", Role=ROLE, Code={"ImageUri": "x:1"}, Layers=[arn]
        )
    awslambda.create_function(FunctionName="new", PackageType="Image", Role=ROLE, Code={"ImageUri": "x:1"})


def test_creating_a_function(awslambda, make_zip, publish, refused):
    arn = publish()
    good = {
        "FunctionName": "new",
        "Runtime": "python3.13",
        "Handler": "app.handler",
        "Role": ROLE,
        "Code": {"ZipFile": make_zip({"app.py": b"handler = print"})},
        "Layers": [arn],
        "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
        "Environment": {"Variables": {"MODE": "test"}},
        "Tags": {"team": "web"},
    }

    made = awslambda.create_function(**good, Publish=True)

    assert (made["Version"], made["Environment"]) == ("1", {"Variables": {"MODE": "test"}})
    assert made["VpcConfig"]["SubnetIds"] == ["subnet-1"]
    with refused(409, "ResourceConflictException", "already exist"):
        awslambda.create_function(**good)
    for wrong, code, text in [
        ({"Runtime": "python9"}, REFUSED, "python9"),
        ({"FunctionName": "n" * 65}, REFUSED, "name"),
        ({"Layers": [arn + "0"]}, REFUSED, "does not exist"),
        ({"Code": {"ZipFile": b"no zip"}}, REFUSED, "Could not unzip"),
        ({"PackageType": "Image"}, REFUSED, "Image"),
        ({"Architectures": ["x86_64", "arm64"]}, "ValidationException", "architectures"),
    ]:
        with refused(400, code, text):
            awslambda.create_function(**{**good, "FunctionName": "other", **wrong})
    incomplete = {key: value for key, value in good.items() if key != "Runtime"}
    with refused(400, REFUSED, "Runtime"):
        awslambda.create_function(**{**incomplete, "FunctionName": "other"})


def test_deleting_a_function(awslambda, function, refused):
    awslambda.publish_version(FunctionName=function)
    with refused(400, REFUSED, "LATEST"):
        awslambda.delete_function(FunctionName=function, Qualifier="$LATEST")
    awslambda.delete_function(FunctionName=function)
    with refused(404, "ResourceNotFoundException"):
        awslambda.get_function(FunctionName=function)


def test_lists_have_no_states(awslambda, function):
    (listed,) = awslambda.list_functions()["Functions"]
    full = awslambda.get_function_configuration(FunctionName=function)
    del full["ResponseMetadata"]
    assert {"State", "LastUpdateStatus"} <= set(full)
    assert listed == {key: full[key] for key in listed}
    assert not [key for key in listed if key.startswith(("State", "LastUpdateStatus"))]
