"""The API's own documentation, served by ourselves: no byte comes from elsewhere."""

from html import escape
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from router.problems import DOCS_PATH, STATUS, known_errors

# Swagger UI writes style attributes and carries its icons as data: addresses.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS: Final = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>docshard API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/docs/static/favicon.png">
<link rel="stylesheet" href="/docs/static/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/static/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""

_START: Final = """SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  docExpansion: "list",
  persistAuthorization: false,
  validatorUrl: null,
});
"""

_ERRORS_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>docshard errors</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem }}
body {{ padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ border-bottom: 1px solid #ccc; padding: .4rem .6rem }}
th, td {{ text-align: left; vertical-align: top }}
tr:target {{ background: #fff3c4; color: #222 }}
@media (prefers-color-scheme: dark) {{ body {{ background: #181818; color: #ddd }} }}
</style>
</head>
<body>
<h1>Errors</h1>
<p>Every error is <code>application/problem+json</code> (RFC 9457). Programs rely on
<code>code</code>; it does not change. <code>request_id</code> finds the request in our log.</p>
<table>
<thead><tr><th>code</th><th>status</th><th>meaning</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""


async def _page(request: Request) -> Response:
    return HTMLResponse(_PAGE, headers=_HEADERS)


async def _start(request: Request) -> Response:
    return Response(_START, headers=_HEADERS, media_type="text/javascript")


async def _errors(request: Request) -> Response:
    return HTMLResponse(errors_page(), headers=_HEADERS)


def errors_page() -> str:
    """Render the table of errors, made from the table that answers are made from."""
    kinds = known_errors()
    rows = "\n".join(
        f'<tr id="{code}"><td><code>{code}</code></td><td>{status}</td>'
        f"<td>{escape(' '.join((kinds[code].__doc__ or '').split()))}</td></tr>"
        for code, status in STATUS.items()
    )
    return _ERRORS_PAGE.format(rows=rows)


def routes() -> list[BaseRoute]:
    """Routes of the documentation."""
    static = str(files("fastapi_offline") / "static")
    return [
        Route("/docs", _page),
        Route("/docs/start.js", _start),
        Route(DOCS_PATH, _errors),
        Mount("/docs/static", StaticFiles(directory=static)),
    ]
