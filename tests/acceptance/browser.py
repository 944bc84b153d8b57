"""Debian's Chromium without a screen, and what its pages are asked."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright

from tests.acceptance.fleet import LocalFleet
from tests.lacking import lacking

_ARGUMENTS: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
WIDE: Final[ViewportSize] = {"width": 1440, "height": 900}
NARROW: Final[ViewportSize] = {"width": 360, "height": 740}
# A busy machine takes long; who waits for a condition waits no longer than that takes.
PATIENCE_MS: Final = 60_000


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The browser until the block ends."""
    found = shutil.which("chromium")
    if found is None:
        lacking("Chromium is not installed")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=[*_ARGUMENTS])
        try:
            yield browser
        finally:
            await browser.close()


async def opened(browser: Browser, fleet: LocalFleet) -> BrowserContext:
    """A fresh browser: no cookies, nothing remembered."""
    context = await browser.new_context(base_url=fleet.api, viewport=WIDE)
    context.set_default_timeout(PATIENCE_MS)
    return context


async def log_in(page: Page, fleet: LocalFleet) -> None:
    """As the fleet's administrator, from whatever page asks for it."""
    email, password = (fleet.variables[f"DOCSHARD_ADMIN_{name}"] for name in ("EMAIL", "PASSWORD"))
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Log in").click()
    await page.get_by_role("button", name="Log out").wait_for()


def complaints(page: Page) -> list[str]:
    """What the page's console will complain about, what its policy forbids among it."""
    told: list[str] = []
    page.on("console", lambda one: told.append(one.text) if one.type == "error" else None)
    page.on("pageerror", lambda error: told.append(str(error)))
    return told


async def violations(page: Page) -> list[str]:
    """What keeps somebody from using the page, by the rules of axe."""
    found = await Axe().run(page)
    return [
        f"{one['id']}: {node['html'][:200]}"
        for one in found.response["violations"]
        for node in one["nodes"]
    ]


async def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    return int(await page.evaluate(wide))
