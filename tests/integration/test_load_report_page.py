"""A report in a browser: everybody can read it, on any screen, in light and in dark."""

from pathlib import Path
from typing import Literal

import pytest

from loadtests.report.page import render
from tests.acceptance.browser import (
    NARROW,
    PATIENCE_MS,
    WIDE,
    chromium,
    complaints,
    overflow,
    violations,
)
from tests.unit.sample_runs import sample


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_report_is_for_everybody(tmp_path: Path, scheme: Literal["light", "dark"]) -> None:
    file = tmp_path / "report.html"
    file.write_text(render(sample(8), sample(8, seed=2)))
    async with chromium() as browser:
        page = await browser.new_page(viewport=WIDE, color_scheme=scheme)
        page.set_default_timeout(PATIENCE_MS)
        told = complaints(page)
        await page.goto(file.as_uri())
        assert await violations(page) == []
        await page.set_viewport_size(NARROW)
        assert await overflow(page) == 0
        assert told == []
