"""Layers of other accounts: permissions of a version, and what they allow."""

import json
from dataclasses import replace

import pytest

from entrypoint.local_aws.arns import Scope

OTHER = "210987654321"
READ = "lambda:GetLayerVersion"


@pytest.fixture
def other(client):
    return client(account=OTHER)


@pytest.fixture
def function(aws):
    return aws.declare_function("api")


def test_without_permission_the_layer_cannot_be_attached_and_the_refusal_names_it(
    awslambda, other, publish, function, refused
):
    arn = publish(connection=other)
    with refused(403, "AccessDeniedException", arn):
        awslambda.update_function_configuration(FunctionName=function, Layers=[arn])
    with refused(403, "AccessDeniedException", arn):
        awslambda.get_layer_version(LayerName=arn.removesuffix(":1"), VersionNumber=1)


def test_an_unknown_version_is_refused_like_one_without_permission(awslambda, function, refused):
    arn = f"arn:aws:lambda:eu-west-1:{OTHER}:layer:web:7"
    with refused(403, "AccessDeniedException", arn):
        awslambda.update_function_configuration(FunctionName=function, Layers=[arn])


@pytest.mark.parametrize(
    "grant",
    [
        {"Principal": "123456789012"},
        {"Principal": "arn:aws:iam::123456789012:root"},
        {"Principal": "*"},
        {"Principal": "*", "OrganizationId": "o-localawsorg0"},
    ],
)
def test_a_grant_allows_one_version_and_not_the_next(awslambda, other, publish, function, refused, grant):
    first = publish(connection=other)
    other.add_layer_version_permission(
        LayerName="web", VersionNumber=1, StatementId="share", Action=READ, **grant
    )
    second = publish(connection=other)

    updated = awslambda.update_function_configuration(FunctionName=function, Layers=[first])
    assert [layer["Arn"] for layer in updated["Layers"]] == [first]
    assert awslambda.get_layer_version(LayerName=first.removesuffix(":1"), VersionNumber=1)["Version"] == 1
    assert awslambda.get_layer_version_by_arn(Arn=first)["LayerVersionArn"] == first
    with refused(403, "AccessDeniedException", second):
        awslambda.update_function_configuration(FunctionName=function, Layers=[second])


@pytest.mark.parametrize(
    "grant",
    [{"Principal": "111111111111"}, {"Principal": "*", "OrganizationId": "o-somebodyelse"}],
)
def test_a_grant_to_others_is_not_enough(awslambda, other, publish, function, refused, grant):
    arn = publish(connection=other)
    other.add_layer_version_permission(
        LayerName="web", VersionNumber=1, StatementId="share", Action=READ, **grant
    )
    with refused(403, "AccessDeniedException", arn):
        awslambda.update_function_configuration(FunctionName=function, Layers=[arn])


def test_a_declared_layer_is_public_by_default(awslambda, aws, function, refused):
    public = aws.declare_layer_version("powertools", account="017000801446", version=7)
    private = aws.declare_layer_version("secret", account="017000801446", shared_with=["111111111111"])
    awslambda.update_function_configuration(FunctionName=function, Layers=[public])
    assert public.endswith(":017000801446:layer:powertools:7")
    with refused(403, "AccessDeniedException", private):
        awslambda.update_function_configuration(FunctionName=function, Layers=[private])


def test_a_layer_without_its_permission_stays_on_functions_but_cannot_be_attached_again(
    aws, awslambda, other, publish, function, refused
):
    arn = publish(connection=other)
    other.add_layer_version_permission(
        LayerName="web", VersionNumber=1, StatementId="share", Action=READ, Principal="*"
    )
    awslambda.update_function_configuration(FunctionName=function, Layers=[arn])
    versions = aws.cloud.region(Scope(OTHER, aws.region)).layers["web"].versions
    versions[1] = replace(versions[1], policy=())

    kept = awslambda.get_function_configuration(FunctionName=function)["Layers"]
    assert [layer["Arn"] for layer in kept] == [arn]
    awslambda.update_function_configuration(FunctionName=function, Description="without a list: fine")
    with refused(403, "AccessDeniedException", arn):
        awslambda.update_function_configuration(FunctionName=function, Layers=[arn])


def test_the_policy_lists_the_grants_of_one_version(awslambda, publish, refused):
    arn = publish()
    with refused(404, "ResourceNotFoundException", "No policy"):
        awslambda.get_layer_version_policy(LayerName="web", VersionNumber=1)

    added = awslambda.add_layer_version_permission(
        LayerName="web", VersionNumber=1, StatementId="share", Action=READ, Principal=OTHER
    )

    read = awslambda.get_layer_version_policy(LayerName="web", VersionNumber=1)
    (statement,) = json.loads(read["Policy"])["Statement"]
    assert statement == json.loads(added["Statement"])
    assert (statement["Sid"], statement["Resource"]) == ("share", arn)
    assert statement["Principal"] == {"AWS": f"arn:aws:iam::{OTHER}:root"}
    assert read["RevisionId"] == added["RevisionId"]


def test_invalid_grants_are_refused(awslambda, publish, refused):
    publish()
    good = {
        "LayerName": "web",
        "VersionNumber": 1,
        "StatementId": "share",
        "Action": READ,
        "Principal": "*",
    }
    awslambda.add_layer_version_permission(**good)

    with refused(409, "ResourceConflictException", "share"):
        awslambda.add_layer_version_permission(**good)
    with refused(412, "PreconditionFailedException"):
        awslambda.add_layer_version_permission(**{**good, "StatementId": "b", "RevisionId": "stale"})
    with refused(400, "ValidationException", "action"):
        awslambda.add_layer_version_permission(**{**good, "StatementId": "b", "Action": "lambda:Invoke"})
    with refused(400, "InvalidParameterValueException", "OrganizationId"):
        awslambda.add_layer_version_permission(
            **{**good, "StatementId": "b", "Principal": OTHER, "OrganizationId": "o-localawsorg0"}
        )
    with refused(404, "ResourceNotFoundException", "layer:web:2"):
        awslambda.add_layer_version_permission(**{**good, "VersionNumber": 2})


def test_a_policy_has_a_maximum_length(awslambda, publish, refused):
    publish()
    with refused(400, "PolicyLengthExceededException"):
        for number in range(200):
            awslambda.add_layer_version_permission(
                LayerName="web", VersionNumber=1, StatementId=f"s{number}", Action=READ, Principal=OTHER
            )


def test_only_the_owner_changes_a_layer(awslambda, other, publish, refused):
    publish()
    arn = "arn:aws:lambda:eu-west-1:123456789012:layer:web"
    with refused(403, "AccessDeniedException", arn):
        other.list_layer_versions(LayerName=arn)
    with refused(403, "AccessDeniedException", arn):
        other.delete_layer_version(LayerName=arn, VersionNumber=1)
    assert len(awslambda.list_layer_versions(LayerName=arn)["LayerVersions"]) == 1
