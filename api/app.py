"""The web application: the routes below /api/v1, and the dashboard."""

from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from api import asyncapi, problems
from api.access import COOKIE, CSRF_HEADER
from api.answers import json_answer
from api.auditing import Auditing
from api.limiting import Limiting
from api.metrics import MEDIA_TYPE, exposition
from api.own_metrics import own_metrics
from api.reference import reference_page
from api.routes import (
    alarms,
    assets,
    audit,
    cases,
    labels,
    models,
    performance,
    quality,
    report,
    session,
    simulator,
    status,
    stream,
    tokens,
    truths,
    twin,
)
from api.security import SecurityHeaders
from api.services import Services
from api.shapes.document import describe, restore_nulls

# in this order they stand in the documentation
ROUTES: Final = (
    *(assets, performance, quality, alarms, cases, labels, models, report, status, stream),
    *(simulator, truths, session, tokens, audit, twin),
)
VERSION: Final = "0.1.0"
PREFIX: Final = "/api/v1"
DASHBOARD: Final = Path(__file__).parent / "dashboard" / "dist"
NOT_BUILT: Final = """<!doctype html><html lang="en"><title>kullager</title>
<h1>kullager</h1>
<p>The api is running; its dashboard has not been built. Build it with <code>make dashboard</code>, or by hand:</p>
<pre>cd api/dashboard &amp;&amp; npm ci &amp;&amp; npm run build</pre>
<p>and start the api again. Until then: <a href="/api/v1/docs">the routes</a>, <a href="/api/v1/status">the status</a>.</p>
"""


def create_app(services: Services, dashboard: Path = DASHBOARD) -> FastAPI:
    """The whole application. The api is an app of its own below /api, so that no unknown path of it meets the dashboard."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    # without them, as tests make it, it shows its pages alone
    if services is not None:
        app.add_middleware(Limiting, limits=services.limits, refused=services.refused)
    app.add_middleware(SecurityHeaders)
    problems.install(app)
    app.mount("/api", create_api(services))

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(exposition(own_metrics(services)), media_type=MEDIA_TYPE)

    if (dashboard / "index.html").is_file():
        app.frontend("/", directory=dashboard, fallback="index.html")
    else:

        @app.get("/", include_in_schema=False)
        async def not_built() -> HTMLResponse:
            return HTMLResponse(NOT_BUILT)

    return app


def create_api(services: Services | None = None) -> FastAPI:
    """The api by itself; without services it can only describe itself."""
    api = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, strict_content_type=False)
    api.state.services = services
    if services is not None:
        api.add_middleware(Auditing, log=services.audit)
    problems.install(api)
    for routes in ROUTES:
        api.include_router(routes.router, prefix="/v1")
    schema = _schema(api)

    @api.get("/v1/openapi.json", include_in_schema=False)
    async def openapi() -> dict[str, Any]:
        return schema

    if services is not None:
        messages = asyncapi.document_of(services.plant, VERSION)

        @api.get("/v1/asyncapi.json", include_in_schema=False)
        async def mqtt_side() -> Response:
            return json_answer(messages)

    page = reference_page(schema)

    @api.get("/v1/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(page)

    api.openapi = lambda: schema  # type: ignore[method-assign]
    return api


def _schema(api: FastAPI) -> dict[str, Any]:
    schema = get_openapi(
        title="kullager",
        version=VERSION,
        summary="Predictive maintenance: assessments, alarms and their reasons",
        description="Reading is open. Changing needs a token, or a session. Errors are RFC 9457 problem details.",
        routes=api.routes,
    )
    problems.document(schema)
    routes = [route for each in ROUTES for route in each.router.routes if isinstance(route, APIRoute)]
    restore_nulls(schema, routes, "/v1")
    describe(schema, routes)
    schema["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "a token, as `POST /api/v1/tokens` makes it"},
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": f"changes need `{CSRF_HEADER}`, too"},
    }
    for item in schema["paths"].values():
        for operation in item.values():
            if "403" in operation["responses"]:
                operation["security"] = [{"token": []}, {"session": []}]
    schema["paths"] = {f"/api{path}": item for path, item in schema["paths"].items()}
    return schema
