"""The keys of lambda-layers.yml, each declared once: parser, model, JSON Schema and reference come from here.

The keys of a layer are in `layer_schema`, those of a function in `function_schema`.
"""

import re
from collections.abc import Mapping
from typing import Any

from entrypoint.manifest.fields import (
    Constant,
    CountOrPercent,
    CountOrPercentOf,
    ListOf,
    Number,
    String,
)
from entrypoint.manifest.function_schema import FUNCTION, FUNCTION_ARN, FUNCTION_GLOB
from entrypoint.manifest.layer_schema import LAYER, LAYER_NAME, PACKAGE_NAME, canonical_names
from entrypoint.manifest.model import (
    AT_ONCE,
    Audit,
    Bucket,
    Export,
    FunctionEntry,
    Invocation,
    Layer,
    Manifest,
    Rollout,
    Shift,
)
from entrypoint.manifest.record import Field, MapOf, Origin, Record, to_names, to_path
from entrypoint.manifest.runtimes import RUNTIMES

DEFAULT_PATH = "lambda-layers.yml"
REGION = r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]"
DESTINATION = rf"(?:[0-9]{{12}}/)?{REGION}|[0-9]{{12}}"
ROLE_ARN = r"arn:[a-z-]+:iam::[0-9]{12}:role/[a-zA-Z0-9+=,.@_/-]+"
SERVICE_ROLE_ARN = ROLE_ARN.replace("[0-9]{12}", r"(?:[0-9]{12}|\{account\})")
# https://docs.aws.amazon.com/lambda/latest/dg/cmr-using.html
_RUNTIMES_ARN = r"arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:runtime/"
CUSTOM_RUNTIME = rf"(?:{_RUNTIMES_ARN})?[a-z0-9][a-z0-9_.-]{{0,126}}[a-z0-9](?::[A-Za-z0-9_.-]{{1,128}})?"
SEVERITIES = ("low", "moderate", "high", "critical")
"""The severity levels of GitHub's advisories, the lowest first."""
# With a leading slash or without any slash; AWS reserves names that begin with aws or ssm.
PARAMETER_PART = r"(?:[a-zA-Z0-9_.-]|\{target\}|\{region\}|\{account\})+"
PARAMETER = rf"(?!/?(?:[aA][wW][sS]|[sS][sS][mM]))(?:{PARAMETER_PART}|(?:/{PARAMETER_PART})+)"
# https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html
_OF_AWS = re.compile(r"Lambda(?:AllAtOnce|(?:Canary|Linear)10Percent(?:Every)?[0-9]+Minutes?)")
_NO_FAILURE = CountOrPercent(0, is_percentage=False)


def _rollout(
    *,
    failure_threshold: CountOrPercent = _NO_FAILURE,
    check: Mapping[str, Any] | None = None,
    **fields: Any,  # noqa: ANN401 - of Rollout, each of its own type
) -> Rollout:
    """Make a rollout from its keys; those under `check` fill fields of `Rollout` too."""
    return Rollout(failure_threshold=failure_threshold, **(check or {}), **fields)


def _manifest(
    *,
    layers: Mapping[str, Layer],
    cooldown: int = 0,
    cooldown_exceptions: frozenset[str] = frozenset(),
    **fields: Any,  # noqa: ANN401 - of Manifest, each of its own type
) -> Manifest:
    """Make a manifest; the cooldown applies to the requirements of each layer."""
    cooled = {
        name: layer._replace(
            requirements=layer.requirements._replace(
                cooldown=cooldown, cooldown_exceptions=cooldown_exceptions
            )
        )
        for name, layer in layers.items()
    }
    return Manifest(layers=cooled, **fields)


def _days(text: str, _: Origin) -> int:
    return int(text.split(maxsplit=1)[0])


def _entries(table: Mapping[str, FunctionEntry], _: Origin) -> tuple[FunctionEntry, ...]:
    return tuple(table.values())


def _seconds(minutes: int, _: Origin) -> int:
    return minutes * 60


def _configuration(name: str, _: Origin) -> str:
    """Return the whole name of a deployment configuration: those of AWS may be given without its prefix."""
    return f"CodeDeployDefault.{name}" if _OF_AWS.fullmatch(name) else name


_INVOKE = Record(
    make=Invocation,
    fields={
        "function": Field(
            shape=String("a function's name, optionally with :alias", rf"{LAYER_NAME}(?::\S+)?"),
            help="Function to invoke after each wave.",
            required=True,
        ),
        "payload": Field(
            shape=String("a JSON file"),
            convert=to_path,
            help="JSON file with the payload. By default, the payload is {}.",
        ),
        "expect": Field(
            shape=String("a JSON file"),
            convert=to_path,
            help="JSON file that the response must contain. By default, any response except an error passes.",
        ),
    },
)

_SHIFT = Record(
    make=Shift,
    fields={
        "codedeploy": Field(
            shape=String("a deployment configuration", r"[a-zA-Z0-9+=,.@_-]{1,100}"),
            convert=_configuration,
            help="Deployment configuration of CodeDeploy, such as LambdaCanary10Percent5Minutes.",
            required=True,
        ),
        "role": Field(
            shape=String("a role's ARN", SERVICE_ROLE_ARN),
            help="ARN of CodeDeploy's service role. {account} is replaced.",
            required=True,
        ),
    },
)

_CHECK = Record(
    {
        "alarms": Field(
            shape=ListOf(String("an alarm's name", r".{1,255}")),
            help="CloudWatch alarms that must not be in the ALARM state after a wave.",
        ),
        "invoke": Field(shape=_INVOKE, help="A function that must respond after a wave."),
        "soak": Field(
            shape=Number("a number of seconds", most=3600),
            default=AT_ONCE.soak,
            help="Seconds to watch the alarms after a wave.",
        ),
    },
    any_of=("alarms", "invoke"),
)

_ROLLOUT = Record(
    make=_rollout,
    fields={
        "destinations": Field(
            shape=ListOf(ListOf(String("an account, a region, or ACCOUNT/REGION", DESTINATION), single=True)),
            help="Accounts and regions in the order of their deployment, such as [eu-west-1, us-east-1]. "
            "Those of an inner list are deployed at once; those that are not listed, last.",
        ),
        "waves": Field(
            shape=ListOf(CountOrPercentOf("a count or a percentage of the functions")),
            help="Size of each wave, such as [1, 10%, 100%]. By default, all functions are in one wave.",
        ),
        "max_parallel": Field(
            shape=Number("a number of functions", least=1, most=200),
            default=AT_ONCE.max_parallel,
            help="Number of functions to update at the same time.",
        ),
        "failure_threshold": Field(
            shape=CountOrPercentOf("a count or a percentage of a wave"),
            default=0,
            help="Number of functions of a wave that may fail before the wave is rolled back.",
        ),
        "canary": Field(
            shape=Number("a percentage", least=1, most=99),
            help="Percentage of an alias's traffic to send to the new version until the check passes.",
        ),
        "shift": Field(
            shape=_SHIFT,
            help="Let AWS CodeDeploy shift the traffic of aliases, with the alarms of `check`.",
        ),
        "check": Field(
            shape=_CHECK,
            help="Health check after each wave. If it fails, all functions of the run are rolled back.",
        ),
        "timeout": Field(
            shape=Number("a number of minutes", least=1),
            convert=_seconds,
            help="Minutes after which no further function update is started.",
        ),
    },
)

_BUCKET = Record(
    make=Bucket,
    fields={
        "bucket": Field(
            shape=String("a bucket's name", r"(?=.{3})(?:[a-z0-9.-]|\{region\}|\{account\}){1,63}"),
            help="Bucket for archives over 50 MB. {region} and {account} are replaced.",
            required=True,
        ),
        "prefix": Field(shape=String("a key prefix", longest=512), help="Prefix of the object keys."),
        "storage": Field(
            shape=String("a way to store archives", choices=("copy", "reference")),
            default="copy",
            help="copy: Lambda copies large archives from the bucket. reference: all archives stay in it.",
        ),
    },
)

_EXPORT = Record(
    make=Export,
    any_of=("ssm", "file"),
    fields={
        "ssm": Field(
            shape=String("a template of a parameter's name", PARAMETER),
            help="Name of an SSM parameter for each target. {target}, {region} and {account} are replaced.",
        ),
        "file": Field(
            shape=String("the path of a .json file", r"(?:[^{}]|\{region\}|\{account\})+\.json"),
            help="Path of a JSON file, which Terraform reads as tfvars. {region} and {account} are replaced.",
        ),
    },
)

_AUDIT = Record(
    make=Audit,
    fields={
        "severity": Field(
            shape=String("a severity level", choices=SEVERITIES),
            default=Audit().severity,
            help="Lowest severity that fails the audit. A vulnerability without a severity fails it too.",
        ),
        "ignore": Field(
            shape=MapOf(String("a reason"), r"[A-Za-z0-9_.-]+", "an ID such as GHSA-... or CVE-..."),
            fills="ignored",
            convert=to_names,
            help="IDs of vulnerabilities to ignore, each with the reason.",
        ),
        "url": Field(
            shape=String("a URL", r"https?://.+"),
            default=Audit().url,
            help="URL of OSV or of a mirror of it.",
        ),
    },
)

MANIFEST = Record(
    make=_manifest,
    extensions=True,
    fields={
        "version": Field(shape=Constant(1), help="Version of this format: 1.", required=True),
        "regions": Field(
            shape=ListOf(String("a region", REGION)),
            help="Regions to publish in. By default, the region of the AWS credentials.",
        ),
        "layers": Field(
            shape=MapOf(LAYER, LAYER_NAME, "a valid layer name"), help="Layers by name.", required=True
        ),
        "cooldown": Field(
            shape=String("a number of days", r"[1-9][0-9]{0,2} days?"),
            convert=_days,
            help="Lock no version that is younger, such as 7 days. By default, the newest are locked.",
        ),
        "cooldown_exceptions": Field(
            shape=ListOf(String("the name of a package", PACKAGE_NAME)),
            convert=canonical_names,
            help="Packages to which the cooldown does not apply.",
        ),
        "functions": Field(
            shape=MapOf(FUNCTION, f"{FUNCTION_GLOB}|{FUNCTION_ARN}", "a function's name, ARN or glob"),
            convert=_entries,
            help="Functions that use the layers, by name, ARN or glob. The first matching entry applies.",
        ),
        "custom_runtimes": Field(
            shape=MapOf(
                String("a runtime", choices=tuple(RUNTIMES)),
                CUSTOM_RUNTIME,
                "a customer-managed runtime's name, NAME:ALIAS or ARN",
            ),
            help="Customer-managed runtimes, each with the runtime that it is like: its layers are used.",
        ),
        "accounts": Field(
            shape=ListOf(String("a role's ARN", ROLE_ARN)),
            help="ARNs of roles to assume, one per account. By default, the account of the AWS credentials.",
        ),
        "rollout": Field(shape=_ROLLOUT, help="How functions are updated: waves, checks and canaries."),
        "s3": Field(
            shape=_BUCKET,
            fills="bucket",
            help="Where to upload archives that are too large to send directly, or all archives.",
        ),
        "audit": Field(shape=_AUDIT, help="Which known vulnerabilities fail `lambda-layers audit`."),
        "export": Field(
            shape=_EXPORT, help="Where to write layer version ARNs for other tools that manage functions."
        ),
    },
)
