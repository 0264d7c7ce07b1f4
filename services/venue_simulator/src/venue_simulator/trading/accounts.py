"""Accounts of the simulated venues, and their session tokens. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

__all__ = ["AccountPlan", "SessionTokens", "TradingAccount"]


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """An account as it begins; its secret is in no text of it."""

    venue: str
    key: str
    secret: str = field(default="", repr=False)
    public_key: str = field(default="", repr=False)
    """Ed25519, as base64 of 32 bytes or PEM; in place of `secret`."""
    balances: tuple[tuple[str, Decimal], ...] = ()
    maker: Decimal | None = None
    taker: Decimal | None = None


class TradingAccount:
    """The balances of one account at one venue: free, and held for its open orders."""

    def __init__(self, plan: AccountPlan, maker: Decimal, taker: Decimal) -> None:
        self.key = plan.key
        self.secret = plan.secret
        self.public_key = plan.public_key
        self.maker = plan.maker if plan.maker is not None else maker
        self.taker = plan.taker if plan.taker is not None else taker
        self.free: dict[str, Decimal] = dict(plan.balances)
        self.held: dict[str, Decimal] = {}
        self.last_nonce = 0
        """The highest that was used, where nonces have to rise."""
        self.used_nonces: dict[str, int] = {}
        """When each was used, in ms, where none may be used twice; the oldest first."""

    @property
    def assets(self) -> list[str]:
        return sorted(self.free.keys() | self.held.keys())

    def total(self, asset: str) -> Decimal:
        return self.free.get(asset, Decimal(0)) + self.held.get(asset, Decimal(0))

    def hold(self, asset: str, amount: Decimal) -> None:
        """Move `amount` from free to held; a negative one back."""
        self.free[asset] = self.free.get(asset, Decimal(0)) - amount
        self.held[asset] = self.held.get(asset, Decimal(0)) + amount

    def add(self, asset: str, amount: Decimal) -> None:
        """Change what is free."""
        self.free[asset] = self.free.get(asset, Decimal(0)) + amount


class SessionTokens:
    """Tokens that a venue gives out for its private streams, by the account they stand for."""

    def __init__(self) -> None:
        self._given: dict[str, tuple[TradingAccount, int]] = {}

    def give(self, account: TradingAccount, now_ns: int, valid_s: int) -> str:
        """Return a new token that has to be used within `valid_s`."""
        token = f"simulated-{len(self._given) + 1:08d}-{account.key}"
        self._given[token] = (account, now_ns + valid_s * 1_000_000_000)
        return token

    def find(self, token: str, now_ns: int) -> TradingAccount | None:
        """Return whose token it is, None where it is nobody's or too old."""
        account, until_ns = self._given.get(token, (None, 0))
        return account if now_ns < until_ns else None
