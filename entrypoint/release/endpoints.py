"""Whether functions reach AWS through VPC endpoints: facts in, findings out. Pure.

https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html and
https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
"""

from collections.abc import Iterator, Sequence

from entrypoint.aws.network_model import Endpoint, Subnet
from entrypoint.errors import Diagnostic
from entrypoint.release.findings import info, named, warning
from entrypoint.release.network import Attachment, Fault, Network, in_one_finding, used_subnets
from entrypoint.release.routes import reaches_internet

_HTTPS = 443


def examine_endpoints(attachments: Sequence[Attachment], network: Network) -> Iterator[Diagnostic]:
    """Yield which endpoints functions cannot use, and why."""
    subnets = used_subnets(attachments, network)
    for endpoint in network.endpoints or ():
        here = [subnet for subnet in subnets if subnet.vpc == endpoint.vpc]
        if endpoint.kind == "gateway":
            yield from _gateway(endpoint, here, attachments, network)
        elif endpoint.kind == "interface":
            for attachment in attachments:
                used = [subnet for subnet in here if subnet.id in attachment.vpc.subnets]
                yield from _interface(endpoint, used, attachment, network)


def _gateway(
    endpoint: Endpoint, subnets: Sequence[Subnet], attachments: Sequence[Attachment], network: Network
) -> Iterator[Diagnostic]:
    """Yield the subnets whose route tables do not have the endpoint."""
    if network.route_tables is None:
        return
    found = []
    for subnet in subnets:
        table = network.route_table(subnet)
        if table is None or table.id in endpoint.route_tables:
            continue
        service = endpoint.service
        if reaches_internet(subnet, network):
            message = f"traffic to {service} from {{}} does not use the gateway endpoint {endpoint.id}"
            fault = Fault(info, message, f"add it to the route table {table.id}: it costs nothing, NAT does")
        else:
            message = f"no way to {service} from {{}}: {endpoint.id} is not in the route table {table.id}"
            fault = Fault(warning, message, "add the gateway endpoint to that route table")
        found.append((subnet, fault))
    yield from in_one_finding(found, attachments)


def _interface(
    endpoint: Endpoint, subnets: Sequence[Subnet], attachment: Attachment, network: Network
) -> Iterator[Diagnostic]:
    """Yield an endpoint that does not admit functions, or that they do not find."""
    if not subnets:
        return
    who = named(attachment.functions)
    if not endpoint.has_private_dns and not any(reaches_internet(subnet, network) for subnet in subnets):
        message = f"{who}: the endpoint {endpoint.id} for {endpoint.service} has no private DNS names"
        yield warning(message, "turn them on, or have the functions use the endpoint's own names")
    groups = [(network.endpoint_groups or {}).get(name) for name in endpoint.groups]
    known = [group for group in groups if group]
    if len(known) != len(groups) or not groups:
        return
    own = frozenset(attachment.vpc.security_groups)
    cidrs = frozenset(subnet.cidr for subnet in subnets)
    if not any(rule.admits(_HTTPS, own, cidrs) for group in known for rule in group.ingress):
        ids = named(tuple(sorted(endpoint.groups)))
        message = f"{who}: the endpoint {endpoint.id} for {endpoint.service} does not admit them ({ids})"
        hint = f"allow inbound TCP 443 from {named(attachment.vpc.security_groups)} there"
        yield warning(message, hint)
