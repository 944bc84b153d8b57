"""Lines of requests for people."""

import pytest

from services.log_settings import LogSettings
from services.logs.lines import TextLines
from services.logs.redaction import Redactor
from services.logs.requests import LOGGER
from tests.unit.test_logs import SCOPE, context, requests_of


async def test_words_about_a_request_come_in_one_order(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", LOGGER)
    watch, _ = requests_of(LogSettings(), as_json=False)
    with watch.opened():
        watch.answered(SCOPE, context(200, 1.1))
    (line,) = (TextLines(Redactor()).format(one) for one in caplog.records)
    names = [part.partition("=")[0] for part in line.split() if "=" in part]
    told = ["request_id", "client_id", "shard", "route", "method", "status", "duration_ms"]
    assert [name for name in names if name in {*told, "slow"}] == [*told, "slow"]
