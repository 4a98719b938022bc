"""Looks at what the manifest's functions need in an account and region; changes nothing.

In: the edge to AWS and the functions with their entries. Out: findings. What may not be read is told, and
the rest is examined all the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from entrypoint.aws.model import Function, ReadsLambda
from entrypoint.errors import AwsError
from entrypoint.manifest.model import FunctionEntry, Vpc
from entrypoint.parallel import for_each
from entrypoint.release.findings import Finding, error, info, named, warning
from entrypoint.release.network import (
    INTERFACES_PER_VPC,
    Attachment,
    Endpoint,
    Network,
    RouteTable,
    SecurityGroup,
    Subnet,
    examine_network,
)
from entrypoint.release.throttling import Account, Load, Series, examine_account, examine_loads

_WEEK = timedelta(days=7)
_FUNCTIONS_AT_ONCE = 32
INTERFACE_ACTIONS = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)
"""What a function's role has to be allowed: the managed policy AWSLambdaVPCAccessExecutionRole, version 3."""

_Answer = TypeVar("_Answer")


class Metric(NamedTuple):
    """A metric of Lambda, of one function or of the whole account and region."""

    name: str
    statistic: str
    function: str | None = None


class Diagnoses(ReadsLambda, Protocol):
    """The calls of a diagnosis: none changes anything; each raises AwsError where it is not allowed."""

    def subnets(self, ids: Sequence[str]) -> Mapping[str, Subnet]:
        """Return those of these subnets that exist."""

    def security_groups(self, ids: Sequence[str]) -> Mapping[str, SecurityGroup]:
        """Return those of these security groups that exist."""

    def tenancies(self, vpcs: Sequence[str]) -> Mapping[str, str]:
        """Return the tenancy of instances in each VPC."""

    def route_tables(self, vpcs: Sequence[str]) -> tuple[RouteTable, ...]:
        """Return all route tables of these VPCs."""

    def nat_gateways(self, vpcs: Sequence[str]) -> Mapping[str, str]:
        """Return the state of each NAT gateway of these VPCs."""

    def endpoints(self, vpcs: Sequence[str]) -> tuple[Endpoint, ...]:
        """Return the VPC endpoints that are available."""

    def interfaces(self, vpcs: Sequence[str]) -> Mapping[str, int]:
        """Return how many network interfaces Lambda has in each VPC."""

    def interface_quota(self) -> int:
        """Return how many network interfaces Lambda may have in a VPC."""

    def denied(self, role: str, actions: Sequence[str]) -> tuple[str, ...]:
        """Return those actions that a role is not allowed."""

    def account(self) -> Account:
        """Return the limits of the account and region; what was claimed is not among it."""

    def metrics(self, wanted: Sequence[Metric], since: datetime, until: datetime) -> tuple[Series, ...]:
        """Return a series, hour by hour, for each metric."""


def examine(
    aws: Diagnoses, selected: Sequence[tuple[FunctionEntry, Function]], now: datetime
) -> tuple[Finding, ...]:
    """Return what was found about functions and their entries."""
    doctor = _Doctor(aws, now)
    doctor.look_at_network(selected)
    doctor.look_at_throttling([function for _, function in selected])
    return tuple(doctor.findings)


class _Doctor:
    """Gathers findings; one for each account and region."""

    def __init__(self, aws: Diagnoses, now: datetime) -> None:
        self._aws = aws
        self._now = now
        self.findings: list[Finding] = []

    def look_at_network(self, selected: Sequence[tuple[FunctionEntry, Function]]) -> None:
        attached = [(vpc, function) for entry, function in selected if (vpc := entry.vpc or function.vpc)]
        if not attached:
            return
        asked = {function.name: entry.concurrency.reserved for entry, function in selected}
        reserved = self._reserved([function for _, function in attached if asked[function.name] is None])
        reserved |= {name: number for name, number in asked.items() if number is not None}
        grouped: dict[Vpc, list[Function]] = {}
        for vpc, function in attached:
            grouped.setdefault(vpc, []).append(function)
        attachments = [
            Attachment(
                vpc=vpc,
                functions=tuple(function.name for function in functions),
                reserved=sum(reserved.get(function.name) or 0 for function in functions),
            )
            for vpc, functions in grouped.items()
        ]
        self.findings += examine_network(attachments, self._network(list(grouped)))
        self._look_at_roles([function for _, function in attached])

    def look_at_throttling(self, functions: Sequence[Function]) -> None:
        (claimed,) = self._metrics([Metric("ClaimedAccountConcurrency", "Maximum")]) or ({},)
        limits = self._read(self._aws.account)
        account = replace(limits, claimed=claimed) if limits else None
        if account:
            self.findings += examine_account(account)
        names = [function.name for function in functions]
        series = self._metrics(
            [Metric("Throttles", "Sum", name) for name in names]
            + [Metric("ConcurrentExecutions", "Maximum", name) for name in names]
        )
        if not series:
            return
        both = zip(functions, series[: len(names)], series[len(names) :], strict=True)
        loads = [
            (function, Load(function=function.name, throttles=throttles, concurrency=concurrency))
            for function, throttles, concurrency in both
        ]
        self.findings += examine_loads(self._closer([each for each in loads if each[1].throttled]), account)

    def _closer(self, throttled: Sequence[tuple[Function, Load]]) -> list[Load]:
        """Find out more about the functions that were throttled: there should be few."""
        kinds = [("Duration", "Average"), ("AsyncEventsReceived", "Sum"), ("IteratorAge", "Maximum")]
        series = self._metrics([Metric(*kind, load.function) for _, load in throttled for kind in kinds])
        reserved = self._reserved([function for function, _ in throttled])
        loads = []
        for position, (_, load) in enumerate(throttled):
            start = position * len(kinds)
            duration, events, age = (series or [{}] * len(kinds) * len(throttled))[start : start + len(kinds)]
            loads.append(
                replace(
                    load,
                    reserved=reserved.get(load.function),
                    duration=sum(duration.values()) / len(duration) if duration else 0,
                    is_asynchronous=any(events.values()),
                    is_stream=bool(age),
                )
            )
        return loads

    def _network(self, vpcs: Sequence[Vpc]) -> Network:
        aws = self._aws
        names = sorted({name for vpc in vpcs for name in vpc.subnets})
        groups = sorted({name for vpc in vpcs for name in vpc.security_groups})
        subnets = self._read(lambda: aws.subnets(names))
        found = sorted({subnet.vpc for subnet in (subnets or {}).values()})
        network = Network(subnets=subnets, security_groups=self._read(lambda: aws.security_groups(groups)))
        if not found:
            return network
        quota = self._read(aws.interface_quota, told=info)
        return replace(
            network,
            tenancies=self._read(lambda: aws.tenancies(found)),
            route_tables=self._read(lambda: aws.route_tables(found)),
            nat_gateways=self._read(lambda: aws.nat_gateways(found)),
            endpoints=self._read(lambda: aws.endpoints(found)),
            interfaces=self._read(lambda: aws.interfaces(found)),
            interface_quota=INTERFACES_PER_VPC if quota is None else quota,
        )

    def _look_at_roles(self, functions: Sequence[Function]) -> None:
        for role in sorted({function.role for function in functions if function.role}):
            denied = self._read(partial(self._aws.denied, role, INTERFACE_ACTIONS), told=info)
            if denied:
                who = named(tuple(function.name for function in functions if function.role == role))
                message = f"the role of {who}, {role}, is not allowed {', '.join(denied)}"
                hint = "attach the managed policy AWSLambdaVPCAccessExecutionRole to it"
                self.findings.append(error(message, hint))

    def _reserved(self, functions: Sequence[Function]) -> dict[str, int | None]:
        def read(function: Function) -> int | None:
            details = self._read(lambda: self._aws.details(function, (), provisioned=False))
            return details.reserved if details else None

        found = for_each(functions, read, at_once=_FUNCTIONS_AT_ONCE)
        return {function.name: reserved for function, reserved in zip(functions, found, strict=True)}

    def _metrics(self, wanted: Sequence[Metric]) -> tuple[Series, ...] | None:
        until = self._now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        return self._read(lambda: self._aws.metrics(wanted, until - _WEEK, until)) if wanted else ()

    def _read(
        self, read: Callable[[], _Answer], *, told: Callable[[str, str], Finding] = warning
    ) -> _Answer | None:
        """Return what AWS says; where it refuses, that is a finding, and the answer None."""
        try:
            return read()
        except AwsError as refused:
            self.findings += [told(f"not examined: {each.message}", each.hint) for each in refused.problems]
            return None
