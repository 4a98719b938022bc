"""The keys of an entry under `functions`, each declared once, as those of a layer in `layer_schema`."""

from collections.abc import Mapping
from typing import Any

from entrypoint.manifest.fields import Flag, ListOf, Number, String, WordOr
from entrypoint.manifest.layer_schema import LAYER_NAME
from entrypoint.manifest.model import NO_VPC, NONE, Concurrency, FunctionEntry, Vpc
from entrypoint.manifest.record import Field, MapOf, Origin, Record

LAYER_VERSION_ARN = r"arn:[a-z-]+:lambda:(?:[a-z0-9-]+|\{region\}):[0-9]{12}:layer:[a-zA-Z0-9_-]+:[0-9]{1,9}"
OPEN_VERSION = LAYER_VERSION_ARN.removesuffix("[0-9]{1,9}") + "(?:latest|>=[0-9]{1,9})"
ALIAS = r"(?![0-9]+$)[a-zA-Z0-9_-]{1,128}"
FUNCTION_ARN = r"arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:[a-zA-Z0-9_-]{1,140}(?::[a-zA-Z0-9_-]+)?"
FUNCTION_GLOB = r"[a-zA-Z0-9_*?\[\]!-]{1,140}"
_FUNCTION_ARN_PARTS = 7


def unqualified(pattern: str) -> tuple[str, tuple[str, ...]]:
    """Split a function's ARN and its alias, if it has one."""
    parts = pattern.split(":")
    if pattern.startswith("arn:") and len(parts) > _FUNCTION_ARN_PARTS:
        return ":".join(parts[:-1]), (parts[-1],)
    return pattern, ()


def _function(
    *,
    name: str,
    aliases: tuple[str, ...] = (),
    alarms: Mapping[str, tuple[str, ...]] | None = None,
    **fields: Any,  # noqa: ANN401 - of FunctionEntry, each of its own type
) -> FunctionEntry:
    """Make an entry from its keys; an alias in its ARN is one of its aliases."""
    pattern, alias = unqualified(name)
    return FunctionEntry(
        pattern=pattern,
        aliases=tuple(dict.fromkeys([*alias, *aliases])),
        alarm_actions=(alarms or {}).get("actions", ()),
        ok_actions=(alarms or {}).get("ok_actions", ()),
        **fields,
    )


def _sorted(texts: tuple[str, ...], _: Origin) -> tuple[str, ...]:
    return tuple(sorted(texts))


def _pairs(table: Mapping[str, str], _: Origin) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(table.items()))


def _vpc(written: Vpc | str, _: Origin) -> Vpc:
    return written if isinstance(written, Vpc) else NO_VPC


def _concurrency(*, reserved: int | str | None = None, provisioned: int | str | None = None) -> Concurrency:
    return Concurrency(
        reserved=reserved if isinstance(reserved, int) else None,
        provisioned=0 if isinstance(provisioned, str) else provisioned,
        releases=isinstance(reserved, str),
    )


_VPC = Record(
    make=Vpc,
    fields={
        "subnets": Field(
            shape=ListOf(String("a subnet ID", r"subnet-[0-9a-z]+")),
            convert=_sorted,
            help="IDs of private subnets in at least two availability zones.",
            required=True,
        ),
        "security_groups": Field(
            shape=ListOf(String("a security group ID", r"sg-[0-9a-z]+")),
            convert=_sorted,
            help="IDs of security groups.",
            required=True,
        ),
        "ipv6": Field(
            shape=Flag(),
            default=False,
            help="Allow outbound IPv6 traffic. All subnets must have an IPv6 block.",
        ),
    },
)

_CONCURRENCY = Record(
    make=_concurrency,
    any_of=("reserved", "provisioned"),
    fields={
        "reserved": Field(
            shape=WordOr(NONE, Number("a number of concurrent executions")),
            help="Concurrent executions that are reserved for the function, and its maximum. "
            "0 stops all invocations. none removes the reservation.",
        ),
        "provisioned": Field(
            shape=WordOr(NONE, Number("a number of concurrent executions", least=1)),
            help="Execution environments to keep initialized for each alias of the entry. none removes them.",
        ),
    },
)

_ALARMS = Record(
    {
        "actions": Field(
            shape=ListOf(String("the ARN of an alarm action", r"arn:[a-z-]+:[a-z-]+:\S+")),
            help="ARNs that an alarm notifies, such as SNS topics. {region} and {account} are replaced.",
            required=True,
        ),
        "ok_actions": Field(
            shape=ListOf(String("the ARN of an alarm action", r"arn:[a-z-]+:[a-z-]+:\S+")),
            help="ARNs that it notifies when the alarm is over.",
        ),
    }
)

FUNCTION = Record(
    make=_function,
    fields={
        "layers": Field(
            shape=ListOf(
                String(
                    "a layer of this manifest or a layer version's ARN",
                    rf"{LAYER_NAME}|{LAYER_VERSION_ARN}|{OPEN_VERSION}",
                )
            ),
            help="Layers of this manifest and layer version ARNs, in which {region} is replaced. A version "
            "may be `latest` or `>=7`; `lambda-layers lock` pins it. Later ones override files "
            "of earlier ones.",
            required=True,
        ),
        "tag": Field(
            shape=MapOf(String("a tag's value"), r".{1,128}", "a tag's key"),
            convert=_pairs,
            help="Select the functions with these tags. The entry's key is then only a label.",
        ),
        "using": Field(
            shape=String("a layer of this manifest", LAYER_NAME),
            help="Select the functions that use any version of this layer. "
            "The entry's key is then only a label.",
        ),
        "exclusive": Field(
            shape=Flag(),
            default=False,
            help="Remove this manifest's other layers from the functions.",
        ),
        "aliases": Field(
            shape=ListOf(String("an alias", ALIAS)),
            help="Aliases to move to a new version of the function, which is published after the update.",
        ),
        "keep_versions": Field(
            shape=Number("a number of versions", least=1),
            help="Number of newest versions to keep of those that this tool published of the functions. "
            "Older ones that no alias uses are deleted. By default, none are deleted.",
        ),
        "vpc": Field(
            shape=WordOr(NONE, _VPC),
            convert=_vpc,
            help="Subnets and security groups to attach the functions to, or none to detach them. "
            "Without it, they are not changed.",
        ),
        "concurrency": Field(
            shape=_CONCURRENCY,
            help="Reserved and provisioned concurrency. Without it, they are not changed.",
        ),
        "alarms": Field(
            shape=_ALARMS,
            help="Create the CloudWatch alarms that AWS recommends. Without it, none are created.",
        ),
    },
)
