"""Examines what the manifest's functions need in an account and region; changes nothing.

In: the client of AWS and the functions with their entries. Out: findings. What cannot be read is reported,
and the rest is examined.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from entrypoint.aws.model import Function, Metric, Series
from entrypoint.errors import AwsError, Diagnostic
from entrypoint.manifest.model import FunctionEntry, Vpc
from entrypoint.parallel import for_each
from entrypoint.release.findings import error, info, named, warning
from entrypoint.release.network import (
    INTERFACES_PER_VPC,
    Attachment,
    Network,
    examine_network,
)
from entrypoint.release.throttling import Load, examine_account, examine_loads

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws

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
"""What a function's role needs in a VPC: the managed policy AWSLambdaVPCAccessExecutionRole, version 3."""

_Answer = TypeVar("_Answer")


def examine(
    aws: "Aws", selected: Sequence[tuple[FunctionEntry, Function]], now: datetime
) -> tuple[Diagnostic, ...]:
    """Return the findings about functions and their entries."""
    doctor = _Doctor(aws, now)
    doctor.examine_vpcs(selected)
    doctor.examine_throttling([function for _, function in selected])
    return tuple(doctor.findings)


class _Doctor:
    """Collects findings in one account and region."""

    def __init__(self, aws: "Aws", now: datetime) -> None:
        self._aws = aws
        self._now = now
        self.findings: list[Diagnostic] = []

    def examine_vpcs(self, selected: Sequence[tuple[FunctionEntry, Function]]) -> None:
        attached = [(vpc, function) for entry, function in selected if (vpc := entry.vpc or function.vpc)]
        if not attached:
            return
        wanted = {function.name: entry.concurrency.reserved for entry, function in selected}
        reserved = self._reserved([function for _, function in attached if wanted[function.name] is None])
        reserved |= {name: number for name, number in wanted.items() if number is not None}
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
        self._examine_roles([function for _, function in attached])

    def examine_throttling(self, functions: Sequence[Function]) -> None:
        (claimed,) = self._metrics([Metric("ClaimedAccountConcurrency", "Maximum")]) or ({},)
        limits = self._read(self._aws.account.limits)
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
        """Read more metrics of the functions that were throttled, which should be few."""
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
        aws = self._aws.network
        names = sorted({name for vpc in vpcs for name in vpc.subnets})
        groups = sorted({name for vpc in vpcs for name in vpc.security_groups})
        subnets = self._read(lambda: aws.subnets(names))
        found = sorted({subnet.vpc for subnet in (subnets or {}).values()})
        network = Network(subnets=subnets, security_groups=self._read(lambda: aws.security_groups(groups)))
        if not found:
            return network
        quota = self._read(aws.interface_quota, refused=info)
        return replace(
            network,
            tenancies=self._read(lambda: aws.tenancies(found)),
            route_tables=self._read(lambda: aws.route_tables(found)),
            nat_gateways=self._read(lambda: aws.nat_gateways(found)),
            endpoints=self._read(lambda: aws.endpoints(found)),
            interfaces=self._read(lambda: aws.interfaces(found)),
            interface_quota=INTERFACES_PER_VPC if quota is None else quota,
        )

    def _examine_roles(self, functions: Sequence[Function]) -> None:
        for role in sorted({function.role for function in functions if function.role}):
            denied = self._read(partial(self._aws.account.denied, role, INTERFACE_ACTIONS), refused=info)
            if denied:
                who = named(tuple(function.name for function in functions if function.role == role))
                message = f"the role of {who}, {role}, is not allowed {', '.join(denied)}"
                hint = "attach the managed policy AWSLambdaVPCAccessExecutionRole to it"
                self.findings.append(error(message, hint))

    def _reserved(self, functions: Sequence[Function]) -> dict[str, int | None]:
        def read(function: Function) -> int | None:
            found = self._read(lambda: self._aws.functions.described(function.name))
            return found[1] if found else None

        found = for_each(functions, read, at_once=_FUNCTIONS_AT_ONCE)
        return {function.name: reserved for function, reserved in zip(functions, found, strict=True)}

    def _metrics(self, wanted: Sequence[Metric]) -> tuple[Series, ...] | None:
        until = self._now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        return self._read(lambda: self._aws.metrics.hourly(wanted, until - _WEEK, until)) if wanted else ()

    def _read(
        self, read: Callable[[], _Answer], *, refused: Callable[[str, str], Diagnostic] = warning
    ) -> _Answer | None:
        """Return AWS's answer; where AWS refuses, None and a finding."""
        try:
            return read()
        except AwsError as error:
            self.findings += [refused(f"not examined: {each.message}", each.hint) for each in error.problems]
            return None
