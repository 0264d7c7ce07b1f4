"""compose.secure.yaml for real: who has keys and a token gets books, who has none gets nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from containers import ROOT, Compose, docker, make_secrets, why_no_engine
from dragonfly_client import AccessError, DragonflyClient, Tls
from system import VENUES, Bot, eventually, live_venues

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

WITHIN_S: Final = 30.0
NO_KEYS: Final = (
    "--env=DRAGONFLY_AGGREGATOR_CURVE_KEY=",
    "--env=DRAGONFLY_AGGREGATOR_CURVE_TRUST=",
)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("secrets")


@pytest.fixture(scope="module")
def token(secrets: Path) -> str:
    token = make_secrets(secrets)
    for file in secrets.iterdir():
        file.chmod(0o444)  # the containers' user reads them; only root could give them to it
    return token


@pytest.fixture(scope="module")
def compose(
    token: str, secrets: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Compose]:
    reason = why_no_engine()
    if reason is not None:
        pytest.skip(reason)
    compose = Compose(
        tmp_path_factory.mktemp("truth"),
        ROOT / "compose.secure.yaml",
        DRAGONFLY_SECRETS=str(secrets),
        DRAGONFLY_TAG="test",
    )
    try:
        compose.run("build", "--quiet")
        compose.up()
        yield compose
    finally:
        compose.down()


async def test_a_bot_with_a_token_is_served(compose: Compose, secrets: Path, token: str) -> None:
    tls = Tls(ca_file=secrets / "authority.pem")
    async with Bot(compose.gateway_address, "ETH-BTC", tls=tls, token=token) as bot:
        await bot.until(
            lambda book: live_venues(book) == set(VENUES),
            within_s=WITHIN_S,
            what="a book of all venues",
        )


async def test_a_bot_without_a_token_is_refused(compose: Compose, secrets: Path) -> None:
    tls = Tls(ca_file=secrets / "authority.pem")
    async with DragonflyClient(compose.gateway_address, tls=tls) as client:
        with pytest.raises(AccessError, match="no token"):
            await client.instruments()


async def test_an_aggregator_without_keys_is_refused(compose: Compose) -> None:
    stranger = compose.run("run", "--detach", "--no-deps", *NO_KEYS, "aggregator").strip()
    try:
        await eventually(
            lambda: "subscriber refused" in compose.run("logs", "listener-kraken"),
            within_s=WITHIN_S,
            what="the listener's refusal",
        )
    finally:
        docker("rm", "--force", stranger)
