"""Lines of logs: what they hold, how they look, and that no secret is in them."""

import asyncio
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from router.context import RequestContext
from router.watch import Watch
from services.identity import key_text, opaque_tokens
from services.log_settings import LogSettings
from services.logs.about import About, speak_of
from services.logs.configuration import configuration, format_of, secrets_of
from services.logs.lines import JsonLines, Stream, TextLines
from services.logs.redaction import REDACTED, Redactor
from services.logs.requests import RequestLog
from services.metrics_settings import MetricsSettings
from services.s3_settings import S3Settings
from services.settings import Settings
from tests.unit.router_frame import TinyRule, client_of, tiny_app

CLIENT = UUID("01983f5e-7c1a-7d2b-9a4e-0c5b7d1e2f30")
OWN = ("swordfish of the application", 'quo"ted\\ pass', "s3-secret-key/with+signs=")
KEY = key_text.generate().text
REFRESH = opaque_tokens.generate(opaque_tokens.REFRESH).text
LINK = opaque_tokens.generate(opaque_tokens.LINK).text
JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJlLW9mLWl0"
# A mark that no test of the tree takes for a key of somebody.
PEM = "-----BEGIN " + "PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END " + "PRIVATE KEY-----"
SECRETS = (*OWN, KEY, REFRESH, LINK, JWT, PEM.splitlines()[1], "hunter22", "JBSWY3DPEHPK3PXP")
SAYINGS = (
    *(f"connecting with {one}" for one in OWN),
    *(f"the caller sent {one}" for one in (KEY, REFRESH, LINK, JWT)),
    f"Authorization: Bearer {JWT}",
    PEM,
    "connection to postgresql://docshard_app:hunter22@10.0.0.1:5432/docshard failed",
    "host=10.0.0.1 user=docshard_app password=hunter22 dbname=docshard",
    "{'email': 'a@example.org', 'password': 'hunter22'}",
    '{"new_password":"hunter22","totp":"hunter22"}',
    "PGPASSWORD=hunter22 psql",
    "AWS_SECRET_ACCESS_KEY=hunter22",
    "https://s3/bucket/key?X-Amz-Signature=hunter22&X-Amz-Expires=60",
    "otpauth://totp/docshard:a?secret=JBSWY3DPEHPK3PXP&issuer=docshard",
    "$argon2id$v=19$m=47104,t=1,p=1$hunter22$hunter22",
)


def leaked(text: str) -> list[str]:
    """Secrets that can be read in it, in whatever form."""
    plain = text.replace("\\\\", "\\").replace('\\"', '"')
    return [one for one in SECRETS if one in text or one in plain]


@dataclass
class Said:
    """A logger of its own, whose lines are kept."""

    logger: logging.Logger
    stream: io.StringIO

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def line(self) -> dict[str, Any]:
        return dict(json.loads(self.text.splitlines()[-1]))


@pytest.fixture(params=[JsonLines, TextLines])
def said(request: pytest.FixtureRequest) -> Iterator[Said]:
    yield from _said(request.param(Redactor(OWN)))


@pytest.fixture
def as_json() -> Iterator[Said]:
    yield from _said(JsonLines(Redactor(OWN)))


def _said(formatter: logging.Formatter) -> Iterator[Said]:
    stream = io.StringIO()
    handler = Stream(stream)
    handler.setFormatter(formatter)
    logger = logging.Logger("docshard.test")
    logger.addHandler(handler)
    yield Said(logger, stream)


# Keys are random: test processes must call the same test by the same name.
@pytest.mark.parametrize("saying", SAYINGS, ids=[str(number) for number in range(len(SAYINGS))])
def test_no_secret_comes_through_any_path_of_a_logger(said: Said, saying: str) -> None:
    said.logger.info(saying)
    said.logger.info("%s", saying)
    said.logger.info("%r", saying)
    said.logger.info("%s", {"value": saying})
    said.logger.info("x", extra={"fields": {"value": saying}})
    try:
        raise ValueError(saying) from KeyError(saying)
    except ValueError as error:
        said.logger.exception("it failed: %s", error)
    assert len(said.text.splitlines()) >= 6
    assert leaked(said.text) == []
    assert REDACTED in said.text


def test_a_line_that_cannot_be_made_tells_its_place_alone(said: Said) -> None:
    said.logger.info("%d", KEY)
    assert leaked(said.text) == []
    assert "test_logs.py" in said.text


def test_ordinary_words_stay(said: Said) -> None:
    told = (
        "move 0198: the passage to shard-2 took 12 ms, tokens leave 0.98; DOCSHARD_MOVER_PASSWORD"
    )
    said.logger.info(told)
    assert told in said.text


@pytest.mark.parametrize(
    "piece", ["a.", "a-", "pass", "eyJaaaaaaaa-", "a://b:", "token ", "-----BEGIN "]
)
def test_a_long_text_is_looked_through_once(piece: str) -> None:
    """I9: one of which each place were tried to the end would take until tomorrow."""
    text = piece * (200_000 // len(piece))
    assert Redactor().clean(f"{text} password=hunter22") == f"{text} password={REDACTED}"


def test_a_line_says_which_request_it_is_about(as_json: Said) -> None:
    async def request() -> None:
        speak_of(About("r-1", CLIENT))
        as_json.logger.warning("it is late")

    asyncio.run(request())
    line = as_json.line
    assert line["time"].endswith("Z")
    assert (line["level"], line["logger"], line["message"]) == (
        "warning",
        "docshard.test",
        "it is late",
    )
    assert (line["request_id"], line["client_id"]) == ("r-1", str(CLIENT))


def requests_of(settings: LogSettings, *, as_json: bool = True) -> tuple[Watch, list[bytes]]:
    written: list[bytes] = []
    log = RequestLog(settings, Redactor(OWN), written.append if as_json else None)
    return Watch(log), written


def context(status: int, seconds: float, request_id: str = "r-1") -> RequestContext:
    made = RequestContext(About(request_id, CLIENT), own_id=False)
    made.spent.cluster = "shard-1"
    made.spent.add("db", 0.002)
    made.answer(status)
    made.seconds = seconds
    return made


SCOPE = {"type": "http", "method": "GET", "path": "/v1/x?token=hunter22"}


async def test_a_request_has_a_line_with_all_that_is_known() -> None:
    watch, written = requests_of(LogSettings(requests="all"))
    with watch.opened():
        watch.answered(SCOPE, context(200, 0.005))
    line = json.loads(written[0])
    assert {name: line[name] for name in ("level", "message", "request_id", "client_id")} == {
        "level": "info",
        "message": "request",
        "request_id": "r-1",
        "client_id": str(CLIENT),
    }
    assert (line["shard"], line["route"], line["method"]) == ("shard-1", "none", "GET")
    assert (line["status"], line["duration_ms"]) == (200, 5)
    assert line["server_timing"].startswith("db;dur=2.00, total;dur=")
    assert leaked(written[0].decode()) == []


@pytest.mark.parametrize(
    ("requests", "status", "seconds", "level"),
    [
        ("all", 200, 0.1, "info"),
        ("all", 200, 1.1, "warning"),
        ("slow", 200, 0.1, None),
        ("slow", 404, 0.1, None),
        ("slow", 200, 1.1, "warning"),
        ("slow", 503, 0.1, "error"),
        ("none", 503, 9.0, None),
    ],
)
async def test_which_requests_get_a_line(
    requests: Any, status: int, seconds: float, level: str | None
) -> None:
    watch, written = requests_of(LogSettings(requests=requests))
    with watch.opened():
        watch.answered(SCOPE, context(status, seconds))
    assert [json.loads(line)["level"] for line in written] == ([] if level is None else [level])


async def test_a_secret_that_a_caller_calls_its_request_by_is_not_kept() -> None:
    watch, written = requests_of(LogSettings())
    with watch.opened():
        watch.answered(SCOPE, context(200, 0.1, KEY))
    assert leaked(written[0].decode()) == []


async def test_what_we_fail_at_is_told_without_its_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with client_of(tiny_app(TinyRule())) as client:
        await client.get("/v1/things/13", headers={"Request-Id": "r-13"})
    (record,) = (one for one in caplog.records if one.exc_info)
    line = json.loads(JsonLines(Redactor(["the secret of thing 13"])).format(record))
    assert "RuntimeError" in line["exception"]
    assert "thing 13" not in line["exception"]


def test_settings_give_all_their_secrets() -> None:
    settings = Settings.model_construct(
        app_password=SecretStr("app-password"),
        s3=S3Settings.model_construct(secret_key=SecretStr("s3-secret-key")),
        metrics=MetricsSettings(token=SecretStr("metrics-token")),
    )
    given = {"app-password", "s3-secret-key", "metrics-token"}
    assert given <= set(secrets_of(settings)) <= given | {""}


def test_a_terminal_gets_words_and_a_file_objects() -> None:
    assert format_of(LogSettings(format="json")) == "json"
    assert format_of(LogSettings(format="text")) == "text"
    assert configuration(LogSettings(level="ERROR"), Redactor())["root"]["level"] == "ERROR"


_UNHEARD = """
import logging
from services.log_settings import LogSettings
from services.logs.configuration import configure, open_request_log
from services.logs.redaction import Redactor
from services.logs.requests import Answered
settings = LogSettings(format="json")
configure(settings, Redactor())
logging.getLogger("other").error("nobody hears this")
requests = open_request_log(settings, Redactor())
one = Answered(0.0, "r-1", True, "get_document", "GET", 200, 0.1, None, None, None, b"nobody " * 40)
for _ in range(1000):
    requests.tell([one])
    logging.getLogger("other").error("nobody hears this %s", "either" * 100)
print("and goes on")
"""


def test_a_full_disk_below_the_log_stops_nobody() -> None:
    """I10: what cannot be written is lost, and no request with it."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", _UNHEARD],
            stdout=subprocess.PIPE,
            stderr=full,
            text=True,
            check=False,
        )
    assert done.stdout == "and goes on\n"


_DYING = """
import logging, sys, warnings
from services.log_settings import LogSettings
from services.logs.configuration import configure
from services.logs.redaction import Redactor
configure(LogSettings(format="json"), Redactor(["swordfish"]))
warnings.warn("a warning with swordfish")
logging.getLogger("other").error("the library says swordfish")
raise RuntimeError("dying of swordfish")
"""


def test_a_process_takes_no_secret_into_its_last_words() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", _DYING], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["level"] for line in lines] == ["warning", "error", "critical"]
    assert "swordfish" not in done.stderr
    assert REDACTED in lines[2]["exception"]
