"""Whether a gateway is reached through a proxy. Pure: the environment is an argument.

gRPC sends everything that is not unix: to the proxy of the environment, loopback as well. A
gateway beside the bot is never meant by a proxy towards the internet.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dragonfly_client.errors import SettingError

__all__ = ["ProxyChoice", "proxy_given", "proxy_of"]

VARIABLES: Final = ("grpc_proxy", "https_proxy", "http_proxy")
"""As gRPC has them, the first that is set; in upper case too, which gRPC alone does not read."""
EXCEPTIONS: Final = ("no_grpc_proxy", "no_proxy")

PRIVATE_SUFFIXES: Final = (".localhost", ".local", ".internal", ".lan", ".home.arpa")

_PROXY: Final = re.compile(r"http://(?:[^@/\s]*@)?([^@/\s:]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?/?")


@dataclass(frozen=True, slots=True)
class ProxyChoice:
    """`url` is None where a proxy was named that cannot be used; `told` is for people."""

    url: str | None
    told: str


def proxy_given(url: str) -> ProxyChoice:
    """Return the proxy that a bot asks for, whatever the gateway's address.

    Raises:
        SettingError: it is not http://HOST:PORT.
    """
    shown = _shown(str(url))
    if not _PROXY.fullmatch(str(url)):
        raise SettingError(f"proxy {shown!r} cannot be used: write http://HOST:PORT")
    return ProxyChoice(url, f" through the proxy {shown}")


def proxy_of(target: str, environ: Mapping[str, str]) -> ProxyChoice | None:
    """Return the proxy by which the environment wants `target` reached, None for none."""
    host = target.rpartition(":")[0].strip("[]").lower()
    if target.startswith("unix:") or _is_private(host) or _is_excepted(host, environ):
        return None
    for variable in VARIABLES:
        for name in (variable, variable.upper()):
            if url := environ.get(name):
                return _proxy_named(name, url if "://" in url else f"http://{url}")
    return None


def _proxy_named(name: str, url: str) -> ProxyChoice:
    shown = _shown(url)
    if _PROXY.fullmatch(url):
        return ProxyChoice(url, f" through the proxy {shown} that {name} names")
    return ProxyChoice(None, f" without {name}={shown}, for gRPC speaks with http:// proxies only,")


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        # A container's name has no dot, nor has that of this machine.
        return "." not in host or host.endswith(PRIVATE_SUFFIXES)


def _is_excepted(host: str, environ: Mapping[str, str]) -> bool:
    for variable in EXCEPTIONS:
        excepted = environ.get(variable) or environ.get(variable.upper())
        if excepted:
            return any(_covers(one.strip().lower(), host) for one in excepted.split(","))
    return False


def _covers(excepted: str, host: str) -> bool:
    if excepted == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(excepted, strict=False)
    except ValueError:
        name = excepted.lstrip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))


def _shown(url: str) -> str:
    """Return `url` without what may be a password."""
    scheme, found, rest = url[:200].rpartition("://")
    return f"{scheme}{found}{rest.rpartition('@')[2]}"
