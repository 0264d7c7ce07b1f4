"""Where orders may be sent to."""

from __future__ import annotations

from urllib.parse import urlsplit

from dragonfly_common.errors import ConfigError

from dragonfly_venues.transport import check_url
from dragonfly_venues.transport.proxies import is_private

__all__ = ["order_url"]


def order_url(
    url: str, option: str, schemes: tuple[str, ...], venue: str, real_url: str | None
) -> str:
    """Return a URL that orders may be sent to.

    Args:
        url: what `option` gives, or the venue's own.
        option: its name.
        schemes: those that it may have.
        venue: whose.
        real_url: where its orders are real, if these are to be on paper.

    Raises:
        ConfigError: it is none, would show signed requests to whoever is on the way, or is of
            real money where that is not meant.
    """
    url = check_url(url, option, schemes)
    parts = urlsplit(url)
    host = parts.hostname or ""
    if real_url is not None and _domain(host) == _domain(urlsplit(real_url).hostname or ""):
        raise ConfigError(
            f"{url} is where orders at {venue} are real, and these are to be on paper:"
            f" give {option} {venue}=… of a simulator or a testnet"
        )
    if parts.scheme in {"ws", "http"} and not is_private(host):
        raise ConfigError(
            f"{option} {url} would show orders to whoever is on the way: write {parts.scheme}s://"
        )
    return url


def _domain(host: str) -> str:
    """Return what the hosts of one owner share (`api.binance.com` → `binance.com`)."""
    return ".".join(host.rstrip(".").lower().split(".")[-2:])
