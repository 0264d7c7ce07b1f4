"""The proxy through which a venue is reached, if any. Pure: the environment is an argument.

The libraries of HTTP and of WebSocket read the environment each in its own way, and raise what
nobody expects where it names what they do not know. Here is one way for both, and for FIX. What is
private is not meant by a proxy towards the internet, as for bots (`dragonfly_client._proxy`).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from dragonfly_venues.transport.errors import ProxyError

__all__ = ["Proxy", "is_private", "proxy_of"]

VARIABLES: Final = {
    "https": ("https_proxy", "all_proxy"),
    "http": ("http_proxy", "all_proxy"),
    "wss": ("wss_proxy", "https_proxy", "all_proxy"),
    "ws": ("ws_proxy", "http_proxy", "all_proxy"),
    "fix+tls": ("all_proxy",),
    "fix": ("all_proxy",),
}
"""The first that is set counts, in lower case before upper case; an empty one means no proxy."""
EXCEPTIONS: Final = "no_proxy"
PRIVATE_SUFFIXES: Final = (".localhost", ".local", ".internal", ".lan", ".home.arpa")

SOCKS: Final = "socks5h"
SCHEMES: Final = {"http": "http", "https": "https"} | dict.fromkeys(
    ("socks", "socks5", "socks5h"), SOCKS
)
"""As people write them, and as both libraries know them; desktops write socks. Names are resolved
by the proxy: who needs one may not be able to."""
PORTS: Final = {"http": 80, "https": 443, SOCKS: 1080}
SOCKS_PACKAGES: Final = {"python-socks": "python_socks", "socksio": "socksio"}
"""Libraries that websockets and httpx need for it: names to install, and to import."""
FIX_PACKAGES: Final = {"python-socks": "python_socks"}
"""What FIX needs, by whichever proxy."""


_LABEL: Final = "[a-z0-9_][a-z0-9_-]{0,62}"
_HOST: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*|[0-9a-f:.]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that can be used."""

    url: str
    """With its user and password."""
    told: str
    """For people, without them."""

    @property
    def encrypted(self) -> bool:
        """True where the proxy itself is spoken with over TLS."""
        return self.url.startswith("https:")

    @property
    def speaks_socks(self) -> bool:
        return self.url.startswith(SOCKS)


def proxy_of(
    url: str,
    environ: Mapping[str, str],
    installed: Callable[[str], object] = find_spec,
) -> Proxy | None:
    """Return the proxy by which the environment wants `url` reached, None for none.

    Raises:
        ProxyError: it names one that cannot be used.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if is_private(host) or _is_excepted(host, parts.port, environ):
        return None
    for variable in VARIABLES.get(parts.scheme, ()):
        for name in (variable, variable.upper()):
            if name in environ:
                value = environ[name].strip()
                return _proxy_named(url, name, value, installed) if value else None
    return None


def _proxy_named(url: str, name: str, value: str, installed: Callable[[str], object]) -> Proxy:
    value = value if "://" in value else f"http://{value}"
    told = f"the proxy {_shown(value)} that {name} names"
    try:
        parts = urlsplit(value)
        scheme, host, port = SCHEMES[parts.scheme], parts.hostname or "", parts.port
        if ":" in host:
            ipaddress.IPv6Address(host)
        user, password = (
            unquote(word or "", errors="strict") for word in (parts.username, parts.password)
        )
        sound = (
            bool(_HOST.fullmatch(host))
            and port != 0
            and parts.path in {"", "/"}
            and not parts.query
        )
    except (KeyError, ValueError):
        sound = False
    if not sound:
        raise ProxyError(
            f"{url} cannot be reached: {told} is none that can be used: write http://HOST:PORT,"
            " https://HOST:PORT or socks5://HOST:PORT, or take the venue out with NO_PROXY"
        )
    by_fix = url.startswith("fix")
    if by_fix and scheme == "https":
        raise ProxyError(
            f"{url} cannot be reached: {told} is spoken with over TLS, which is not served for FIX:"
            " write http://HOST:PORT or socks5://HOST:PORT, or take the venue out with NO_PROXY"
        )
    packages = FIX_PACKAGES if by_fix else SOCKS_PACKAGES if scheme == SOCKS else {}
    missing = [package for package, module in packages.items() if not installed(module)]
    if missing:
        what = "leads to FIX" if by_fix else "speaks SOCKS"
        raise ProxyError(
            f"{url} cannot be reached: {told} {what}, for which something is missing:"
            f" pip install {' '.join(missing)}"
        )
    credentials = f"{quote(user, '')}:{quote(password, '')}@" if user or password else ""
    shown_host = f"[{host}]" if ":" in host else host
    return Proxy(f"{scheme}://{credentials}{shown_host}:{port or PORTS[scheme]}", told)


def is_private(host: str) -> bool:
    """Say whether a host is of this machine or network, as far as its name shows."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        # A container's name has no dot, nor has that of this machine.
        return "." not in host or host.endswith(PRIVATE_SUFFIXES)


def _is_excepted(host: str, port: int | None, environ: Mapping[str, str]) -> bool:
    excepted = environ.get(EXCEPTIONS) or environ.get(EXCEPTIONS.upper()) or ""
    return any(_covers(one.strip().lower(), host, port) for one in excepted.split(","))


def _covers(excepted: str, host: str, port: int | None) -> bool:
    if excepted == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(excepted, strict=False)
    except ValueError:
        name = excepted.lstrip(".").removesuffix(f":{port}")
        return bool(name) and (host == name or host.endswith(f".{name}"))


def _shown(url: str) -> str:
    """Return `url` without what may be a password."""
    scheme, found, rest = url[:200].rpartition("://")
    return f"{scheme}{found}{rest.rpartition('@')[2]}"
