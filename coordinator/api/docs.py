"""The page `/docs`: Swagger UI over the OpenAPI document, with all its parts served from here."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response

from common.errors import NotFoundError

ASSETS = Path(str(files("fastapi_offline"))) / "static"
"""Swagger UI as this package brings it; nothing else of the package is used."""

SERVED = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Nighttrain coordinator</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="interface"></div>
<noscript>Without JavaScript, read <a href="/openapi.json">/openapi.json</a>.</noscript>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
# Without a validator: by default the document's address is sent to one on the web.
START = """\
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#interface",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
});
"""
# Swagger UI sets styles of single elements, and its style sheet has images within itself.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ALWAYS = {"X-Content-Type-Options": "nosniff"}
KEPT = {**ALWAYS, "Cache-Control": "max-age=86400"}

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def page() -> HTMLResponse:
    """Return the page."""
    return HTMLResponse(PAGE, headers={**ALWAYS, "Content-Security-Policy": POLICY})


@router.get("/docs/start.js")
async def start() -> Response:
    """Return what shows the document on the page; a script within the page is barred by its policy."""
    return Response(START, media_type="text/javascript", headers=ALWAYS)


@router.get("/docs/{name}")
async def asset(name: str) -> FileResponse:
    """Return a part of Swagger UI."""
    if name not in SERVED:
        raise NotFoundError(f"there is nothing at /docs/{name}", "see /docs")
    return FileResponse(ASSETS / name, media_type=SERVED[name], headers=KEPT)
