"""The page in Chromium, before the whole system: what a person sees, and what it costs."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from patience import PATIENCE_S
from system import UNTIL_CLEARED_S, System, eventually

pytestmark = pytest.mark.browser

playwright = pytest.importorskip("playwright.async_api", reason="`make browser-test` fetches it")
axe = pytest.importorskip("axe_playwright_python.async_playwright")

CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PICTURES = os.environ.get("DRAGONFLY_PICTURES")
"""A folder for what these tests saw, for who wants to look at it."""


class Page:
    """The page, and what it knows."""

    def __init__(self, page: Any, url: str) -> None:
        self.page = page
        self.url = url
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on(
            "console",
            lambda said: self.errors.append(said.text) if said.type == "error" else None,
        )

    async def knows(self, expression: str) -> Any:
        return await self.page.evaluate(f"(({{model, stream}}) => {expression})(window.dragonfly)")

    async def until(self, expression: str) -> None:
        """Wait until it holds of what the page knows; of what is not there yet, nothing holds."""

        async def holds() -> bool:
            try:
                return bool(await self.knows(expression))
            except playwright.Error as error:
                if "TypeError" in error.message:
                    return False
                raise

        await eventually(holds, f"{expression} (trust: {await self.trust()})")

    async def sign_in(self, token: str) -> None:
        await self.page.fill(".sign-in input", token)
        await self.page.click(".sign-in button")

    async def note_books(self) -> None:
        """Keep of each book that comes from now on how far it is, and how many it replaced."""
        await self.page.evaluate(
            "() => {window.books = []; const {stream} = window.dragonfly; const {onState} = stream;"
            "stream.onState = (message) => {onState(message); if (message.channel === 'book')"
            " window.books.push([Number(message.data[0].seq), message.replaced]);}}"
        )

    async def trust(self) -> str:
        return str(await self.page.inner_text(".trust"))

    async def until_trust(self, word: str) -> str:
        async def said() -> bool:
            return word in await self.trust()

        await eventually(said, f"the verdict says {word}")
        return await self.trust()

    async def picture(self, name: str) -> None:
        if PICTURES:
            await self.page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), full_page=True)


async def moved_on(page: Page, seq: int) -> None:
    """Wait until the market is further than a state."""

    def newest() -> int:
        with urlopen(f"{page.url}v1/book/ETH-BTC?depth=1") as reply:
            return int(json.load(reply)["seq"])

    async def further() -> bool:
        return await asyncio.to_thread(newest) > seq

    await eventually(further, f"the market is further than {seq}")


@pytest.fixture
async def page(system: System) -> AsyncIterator[Page]:
    """The page of a system of three simulated venues."""
    await system.start(simulator=("--rate", "10"), together=True)
    async with opened(await system.start_web()) as page:
        await page.until("model.book?.live")
        yield page


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Page]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed here")
    async with playwright.async_playwright() as tools:
        browser = await tools.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        tab = await browser.new_page(viewport={"width": 1440, "height": 900})
        tab.set_default_timeout(1000 * PATIENCE_S)
        page = Page(tab, url)
        await tab.goto(url)
        yield page
        await browser.close()


async def test_it_loads_moves_and_says_nothing_is_wrong(page: Page) -> None:
    seq = await page.knows("model.book.seq")
    await page.until(f"model.book.seq !== '{seq}'")
    assert len(await page.page.query_selector_all(".ladder tbody tr.bid")) == 10
    await page.until("model.prices.buy?.prices[0]?.complete")
    await page.page.click("text=merged")
    await page.picture("merged")
    later = Page(await page.page.context.browser.new_page(), page.url)
    await later.page.goto(page.url)
    await later.until("model.since < performance.timeOrigin && model.history[0].length > 1")
    assert page.errors == later.errors == []


async def test_everybody_can_use_it(page: Page) -> None:
    await page.page.wait_for_selector(".explained li")
    for theme, width in itertools.product(("dark", "light"), (1440, 1024, 390)):
        await page.page.emulate_media(color_scheme=theme)
        await page.page.set_viewport_size({"width": width, "height": 900})
        found = await axe.Axe().run(page.page)
        await page.picture(f"{width}-{theme}")
        assert found.violations_count == 0, f"{theme}, {width} px: {found.generate_report()}"
        assert await page.page.evaluate("document.documentElement.scrollWidth") <= width


async def test_a_venue_that_goes_silent_leaves_and_comes_back(page: Page, system: System) -> None:
    await page.until_trust("good")
    await page.page.evaluate(
        "window.spoken = []; const status = document.querySelector('[role=status]');"
        "new MutationObserver(() => window.spoken.push(status.textContent))"
        ".observe(status, {childList: true, characterData: true, subtree: true})"
    )
    await system.fault("kraken", "silence", UNTIL_CLEARED_S)
    await page.until_trust("Kraken is")  # until then the market may be crossed
    assert not await page.knows("model.book.bids.some(level => level.venue === 'kraken')")
    await page.page.wait_for_selector(".explained li:not(.s-LIVE)")
    assert "kraken is" in " ".join(await page.page.evaluate("window.spoken"))
    await page.picture("silent")
    await system.clear()
    await page.until_trust("good")


async def test_a_gateway_that_dies_is_said_and_the_next_one_found(
    page: Page, system: System
) -> None:
    system.processes["together"].kill()
    assert "gateway" in (await page.until_trust("none"))
    assert await page.knows("model.book.bids.length") == 0
    assert await page.page.inner_text("output.spread") == "\N{EN DASH}"
    await page.picture("none")
    await system.restart("together")
    await page.until_trust("good")


async def test_a_hidden_tab_is_sent_nothing_and_gets_the_newest_when_seen(page: Page) -> None:
    await page.page.evaluate(
        "window.isHidden = true;"
        "Object.defineProperty(document, 'hidden', {get: () => window.isHidden});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    await page.until("stream.owed")
    received, seq = await page.knows("[stream.received, model.book.seq]")
    await moved_on(page, int(seq) + 100)
    assert await page.knows("stream.received") == received
    await page.note_books()
    await page.page.evaluate(
        "window.isHidden = false; document.dispatchEvent(new Event('visibilitychange'))"
    )
    await page.until("window.books.length")
    # The gateway's own stream may be some states behind what REST told.
    assert await page.knows("window.books[0][0]") > int(seq) + 50, "no backlog"


async def test_a_slow_tab_gets_the_newest(page: Page) -> None:
    # For so long no frame is drawn, whatever the market does.
    at_work = "(() => {const end = performance.now() + 1500; while (performance.now() < end);})()"
    await page.note_books()
    await page.page.evaluate(at_work)
    await page.until("window.books.some(([, replaced]) => replaced > 5)")


async def test_a_paused_page_is_sent_nothing(page: Page) -> None:
    await page.page.keyboard.press(" ")
    await page.until("stream.owed && stream.paused")
    received = await page.knows("stream.received")
    await moved_on(page, int(await page.knows("model.book.seq")) + 50)
    assert await page.knows("stream.received") == received
    await page.page.keyboard.press(" ")
    await page.until(f"stream.received > {received + 1}")


async def test_an_instrument_is_searched_by_keys(page: Page) -> None:
    await page.page.keyboard.press("/")
    await page.page.keyboard.type("btc-u")
    await page.page.keyboard.press("Enter")
    await page.until("model.book?.instrument.startsWith('BTC-U') && model.book.live")


async def test_a_mistaken_instrument_is_one_sentence(page: Page) -> None:
    await page.page.goto(f"{page.url}#FOO-BAR")
    assert "no venue lists FOO-BAR" in (await page.until_trust("no venue lists"))


async def test_orders_are_given_and_ended_by_who_has_a_token_for_them(system: System) -> None:
    url = await system.start_trading({"ann": ("md", "trade"), "screen": ("md",)})
    async with opened(url) as page:
        tab = page.page
        await page.sign_in("screen")
        await tab.wait_for_selector("text=The token is not for orders")
        await tab.click(".p-orders button")
        await page.sign_in("ann")
        questions: list[str] = []

        async def agree(dialog: Any) -> None:
            questions.append(dialog.message)
            await dialog.accept()

        tab.on("dialog", agree)

        async def taken() -> bool:
            await tab.fill("[name=quantity]", "3")
            await tab.select_option("[name=algorithm]", "twap")
            await tab.click("text=order …")
            return bool(await tab.locator(".p-orders tbody tr").count())

        await tab.wait_for_selector(".ticket")
        await eventually(taken, "the engine knows the markets, and takes the order")
        assert questions[0] == "buy 3 of ETH-BTC without a limit, within 10 minutes, on paper?"
        await tab.click("text=parts")
        await tab.wait_for_selector(".p-orders td:has-text('mid at arrival')")
        found = await axe.Axe().run(tab)
        assert found.violations_count == 0, found.generate_report()
        await page.picture("orders")
        await tab.locator("text=cancel …").first.click()
        await tab.wait_for_selector(".p-orders td:has-text('cancelled')")
        await tab.click("text=kill …")
        await tab.wait_for_selector(".p-orders:has-text('killed, it takes no order')")
