"""Sharing a layer version: with accounts, an organization, everybody; and only once."""

import json

import pytest
from planning import ACCOUNT, read

from entrypoint.manifest.model import Share

ORGANIZATION = "o-abcdefghij"


@pytest.fixture
def statements(other):
    """The statements of the version's policy, as (principal, organization) by id."""

    def read_policy():
        policy = json.loads(other.get_layer_version_policy(LayerName="web", VersionNumber=1)["Policy"])
        return {
            each["Sid"]: (
                each["Principal"],
                each.get("Condition", {}).get("StringEquals", {}).get("aws:PrincipalOrgID"),
            )
            for each in policy["Statement"]
        }

    return read_policy


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (
            Share(accounts=("210987654321", "345678901234")),
            {"lambda-layers-210987654321", "lambda-layers-345678901234"},
        ),
        (Share(organization=ORGANIZATION), {f"lambda-layers-{ORGANIZATION}"}),
        (Share(public=True), {"lambda-layers-public"}),
    ],
)
def test_what_is_written_is_granted_once(aws, edge, calls, statements, share, expected):
    aws.declare_layer_version("web", account=ACCOUNT, shared_with=())
    edge.layers.share("web", 1, share)
    assert set(statements()) == expected
    edge.layers.share("web", 1, share)
    assert calls("AddLayerVersionPermission") == len(expected)


def test_an_organization_is_all_accounts_of_it(aws, edge, statements):
    aws.declare_layer_version("web", account=ACCOUNT, shared_with=())
    edge.layers.share("web", 1, Share(organization=ORGANIZATION))
    assert statements() == {f"lambda-layers-{ORGANIZATION}": ("*", ORGANIZATION)}


def test_the_manifest_says_with_whom():
    text = "layers: {web: {requirements: [six], runtimes: [python3.13], share: {accounts: ['210987654321'], public: true}}}"
    manifest, _ = read(text)
    assert manifest.layers["web"].share == Share(accounts=("210987654321",), public=True)
