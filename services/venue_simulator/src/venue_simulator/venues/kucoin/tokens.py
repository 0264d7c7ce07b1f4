"""The tokens without which no socket opens, as `bullet-public` gives them away."""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import Final
from urllib.parse import parse_qs, urlsplit

__all__ = ["ENDPOINT", "Tokens", "query_of"]

ENDPOINT: Final = "/endpoint"
MOST_TOKENS: Final = 1000
"""Older ones have expired."""


def query_of(path: str) -> tuple[str, str]:
    """Return (token, connectId) of a path, "" for what it lacks."""
    query = parse_qs(urlsplit(path).query)
    return query.get("token", [""])[0], query.get("connectId", [""])[0]


class Tokens:
    """Gives tokens, and knows them again."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._given: deque[str] = deque(maxlen=MOST_TOKENS)

    def give(self) -> str:
        token = (
            f"2neAiuYvAU61ZDXANAGAsiL4-iAExhsBXZxftpOeh_55i3Ysy2q2LEsEWU64mdzU{next(self._numbers)}"
        )
        self._given.append(token)
        return token

    def admit(self, path: str) -> bool:
        """Return whether a socket opens at `path`."""
        return urlsplit(path).path.rstrip("/") == ENDPOINT and query_of(path)[0] in self._given
