"""The addresses that a server can listen on, and how they are asked and written."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from server.errors import BadRequest

LOOPBACK = "127.0.0.1"


def parse(host: str) -> str:
    """The IP address that a server is to listen on. Raises ``BadRequest`` for a name: Triton binds none reliably."""
    return str(_address(host))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    return _address(host).is_loopback


def reachable(host: str) -> str:
    """Where this machine asks what listens there: on all addresses means on loopback, too."""
    address = _address(host)
    if not address.is_unspecified:
        return str(address)
    return LOOPBACK if address.version == 4 else "::1"


def bracketed(host: str) -> str:
    """As it stands before a colon and a port, and as gRPC wants it."""
    return f"[{host}]" if ":" in host else host


def prefixed(host: str) -> str:
    """As libevent wants it, which listens for HTTP and for the metrics."""
    return f"ipv6:{host}" if ":" in host else host


def _address(host: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(LOOPBACK if host == "localhost" else host.strip("[]"))
    except ValueError:
        raise BadRequest(f'"{host}" is no IP address to listen on: give one of this machine, or 0.0.0.0') from None
