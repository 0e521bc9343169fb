"""The OpenAPI document."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi


def document(app: FastAPI) -> dict[str, Any]:
    """Returns: the OpenAPI 3.1 document of an application."""
    return get_openapi(title=app.title, version=app.version, routes=app.routes)
