"""The console in a real browser: everything an operator does there, and whether everybody can."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from uuid import UUID

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from router.console.lag import LagSample
from router.console.pages.rebalance import curves
from services.errors import NotFound
from services.fleet import rebalances
from services.fleet.planning import Batch, Goal, Imbalance, Plan, Prediction, Span
from services.fleet.rebalances import RunLimits
from services.fleet.shards import locate
from services.resources import open_data
from services.settings import DatabaseRole
from tests.acceptance.browser import (
    NARROW,
    PATIENCE_MS,
    WIDE,
    chromium,
    complaints,
    log_in,
    opened,
    overflow,
    violations,
)
from tests.acceptance.fleet import LocalFleet
from tests.acceptance.matrix_cast import settings_of
from tests.acceptance.stage import Stage, log_of

PAGES = (
    *("/console", "/console/tenants", "/console/rebalance", "/console/rebalance/plan?goal=load"),
    *("/console/ring", "/console/replicas", "/console/audit"),
)
LIVE = "#freshness[data-state=live]"
_SAY_UPDATED = """document.addEventListener("htmx:sseMessage", () => {
    document.documentElement.dataset.updated = "yes";
})"""
_NO_MOVES = Imbalance(1, 1, 1)
_SOON = Prediction(Span(0.5, 2, 20), Span(5, 25, 100))

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


@pytest.fixture(scope="module")
async def inside(browser: Browser, fleet: LocalFleet) -> AsyncIterator[BrowserContext]:
    """Logged in as the administrator."""
    context = await opened(browser, fleet)
    page = await context.new_page()
    await page.goto("/console")
    await log_in(page, fleet)
    await page.close()
    yield context
    await context.close()


@pytest.fixture
async def page(inside: BrowserContext) -> AsyncIterator[Page]:
    page = await inside.new_page()
    yield page
    await page.close()


async def test_everything_can_be_reached_by_keyboard_alone(
    browser: Browser, fleet: LocalFleet
) -> None:
    context = await opened(browser, fleet)
    page = await context.new_page()
    keys = page.keyboard
    await page.goto("/console/ring")
    assert await violations(page) == []
    await keys.type(fleet.variables["DOCSHARD_ADMIN_EMAIL"])
    await keys.press("Tab")
    await keys.type(fleet.variables["DOCSHARD_ADMIN_PASSWORD"])
    await keys.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Ring")
    await keys.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    for name in ("Overview", "Tenants"):
        await keys.press("Tab")
        await expect(page.get_by_role("link", name=name, exact=True)).to_be_focused()
    await keys.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Tenants")
    await context.close()


async def test_every_page_is_readable_by_all_at_any_width(page: Page) -> None:
    told = complaints(page)
    for path in PAGES:
        await page.set_viewport_size(WIDE)
        await page.goto(path)
        assert await violations(page) == [], path
        assert await overflow(page) == 0, path
        await page.set_viewport_size(NARROW)
        assert await overflow(page) == 0, path
    await page.emulate_media(color_scheme="dark")
    for path in ("/console", "/console/rebalance", "/console/audit"):
        await page.goto(path)
        assert await violations(page) == [], f"{path} in the dark"
    assert told == []


async def test_a_tenant_is_found(page: Page, stage: Stage) -> None:
    client_id = stage.client()
    code = stage.admin.get(f"/v1/clients/{client_id}").json()["code"]
    shard = stage.admin.get(f"/v1/clients/{client_id}/placement").json()["shard"]
    await page.goto("/console/tenants")
    await page.get_by_label("Its code or id").fill(code)
    await page.get_by_role("button", name="Find").click()
    facts = page.locator("dl.figures")
    await expect(facts).to_contain_text(client_id)
    await expect(facts).to_contain_text(shard)
    await expect(facts).to_contain_text("open")
    await page.get_by_label("Its code or id").fill("nobody-at-all")
    await page.get_by_role("button", name="Find").click()
    await expect(page.get_by_text("There is no client nobody-at-all.")).to_be_visible()


async def test_a_filter_is_exported_and_a_chain_verified(page: Page, stage: Stage) -> None:
    client_id = stage.client()
    await page.goto("/console/audit")
    await page.get_by_label("Client, by code or id").fill(client_id)
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_role("cell", name="client.create")).to_be_visible()
    async with page.expect_download() as started:
        await page.locator("#export").click()
    download = await started.value
    with open(await download.path()) as file:  # noqa: ASYNC230, PTH123 - a small file, just written
        lines = [json.loads(line) for line in file]
    assert [row["action"] for row in lines[:-1]] == ["audit.export", "client.create"]
    assert lines[-1]["end"]["complete"] is True
    await page.get_by_role("button", name="Verify").click()
    await expect(page.get_by_text("Sound: nothing was changed")).to_be_visible()


async def test_a_rebalance_is_watched_paused_and_resumed(
    page: Page, fleet: LocalFleet, stage: Stage
) -> None:
    """I6: and what it moved lives where the plan said."""
    told = complaints(page)
    clients = [_with_a_document(stage) for _ in range(3)]
    await page.goto("/console/rebalance")
    await page.locator(LIVE).wait_for()
    targets = await _begin(fleet, clients)
    # Nobody loads the page anew: what is seen without a click comes by the stream.
    present = page.locator("#present")
    await expect(present).to_have_text("Under way running")
    await page.locator("#reason-pause").fill("a look at the target")
    await page.get_by_role("button", name="Pause").click()
    await expect(present).to_contain_text("paused")
    await page.get_by_role("button", name="Resume").click()
    await expect(present).to_have_text("The last one finished")
    assert await violations(page) == []

    await page.get_by_role("link", name=": move ").first.click()
    await expect(page.locator(".phases [aria-current]")).to_have_text("swept")
    assert await violations(page) == []
    found = {one: _shard(stage, one) for one in clients}
    assert found == targets
    noted = log_of(stage.admin, action="rebalance.pause")[0]
    assert noted["user_id"] is not None
    assert noted["reason"] == "a look at the target"
    assert told == []


async def test_curves_are_drawn_over_the_pictures_and_read_at_any_point(page: Page) -> None:
    """Under the policy of every page, which admits no style of a script's making in the markup."""
    told = complaints(page)
    looks = [LagSample(float(at), None, 2048.0 * at) for at in range(5)]
    (rate,) = curves(looks)
    await page.add_init_script(_SAY_UPDATED)
    await page.goto("/console/rebalance")
    # The first update would take away what only this test has put there; at rest none follows.
    await page.locator("html[data-updated]").wait_for()
    put = """([numbers, told]) => {
        const figure = document.createElement("figure");
        figure.id = "plot-test";
        Object.assign(figure.dataset, { plot: JSON.stringify(numbers), told });
        figure.innerHTML = '<div class="scroll"><svg class="fill" viewBox="0 0 1 1"></svg></div>';
        document.getElementById("live").append(figure);
    }"""
    await page.evaluate(put, [rate.numbers, "Rate over time"])
    figure = page.locator("#plot-test")
    await expect(figure.locator("canvas")).to_be_visible()
    await expect(figure.locator("svg")).to_be_hidden()
    assert await violations(page) == []
    await figure.locator(".u-over").hover()
    await expect(figure.locator(".u-legend")).to_contain_text("4.0 KiB/s")
    newer = "numbers => { document.getElementById('plot-test').dataset.plot = numbers }"
    await page.evaluate(newer, json.dumps({**rate.numbers, "data": [[-9, 0], [0, 3 * 1024**2]]}))
    await figure.locator(".u-over").hover(position={"x": 5, "y": 50})
    await expect(figure.locator(".u-legend")).to_contain_text("-9.0 s")
    assert told == []


async def test_a_page_says_when_its_login_has_ended(browser: Browser, fleet: LocalFleet) -> None:
    context = await opened(browser, fleet)
    watching, leaving = await context.new_page(), await context.new_page()
    await watching.goto("/console")
    await log_in(watching, fleet)
    await watching.locator(LIVE).wait_for()
    await leaving.goto("/console/ring")
    await leaving.get_by_role("button", name="Log out").click()
    await expect(watching.get_by_text("Your login has ended")).to_be_visible()
    await context.close()


def _with_a_document(stage: Stage) -> str:
    """A client that takes some seconds to copy at the pace of `_begin`."""
    client_id = stage.client()
    user = stage.user()
    stage.grant(user["id"], "editor", client_id)
    given = {"original_name": "slow.txt", "mime_type": "text/plain", "metadata": {"a": "x" * 2000}}
    stage.post(f"/v1/clients/{client_id}/documents", given)
    return client_id


def _shard(stage: Stage, client_id: str) -> str:
    return str(stage.admin.get(f"/v1/clients/{client_id}/placement").json()["shard"])


async def _begin(fleet: LocalFleet, clients: list[str]) -> dict[str, str]:
    """Order that each moves to the other shard, one after the other; answers where to."""
    settings = settings_of(fleet)
    async with open_data(settings, DatabaseRole.ADMIN) as data:
        with suppress(NotFound):
            await rebalances.stop(data, "a test begins")
        sources = {one: (await locate(data, one)).shard for one in clients}
        targets = {
            one: "shard-2" if source == "shard-1" else "shard-1" for one, source in sources.items()
        }
        batches = tuple(
            Batch(sources[one], targets[one], (UUID(one),), 10, 2000, _SOON) for one in clients
        )
        plan = Plan(
            *(Goal.RING, batches, _NO_MOVES, _NO_MOVES, Span(1, 5, 60), Span(5, 25, 100)),
            *((), len(clients), 0, 0),
        )
        gently = RunLimits(1, 1, bytes_per_second=1000, grace_seconds=0.5)
        await rebalances.start(data, plan, gently, "watched in a browser")
    return targets
