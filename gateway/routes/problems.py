"""The pages that the type of every problem leads to."""

from html import escape

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from gateway.catalogue import KINDS, type_uri
from gateway.errors import NotFound
from gateway.public import link

router = APIRouter(prefix="/problems", include_in_schema=False)

_PAGE = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
    "<h1>{title}</h1>{body}</html>"
)


@router.get("", response_class=HTMLResponse)
async def list_problems() -> HTMLResponse:
    """All kinds of problems."""
    items = "".join(
        f'<dt><a href="{escape(type_uri(name))}">{escape(name)}</a><dd>{escape(meaning)}'
        for name, meaning in sorted(KINDS.items())
    )
    return HTMLResponse(_PAGE.format(title="Problems", body=f"<dl>{items}</dl>"))


@router.get("/{name}", response_class=HTMLResponse)
async def get_problem(name: str) -> HTMLResponse:
    """One kind of problem."""
    if name not in KINDS:
        raise NotFound("there is no page on this kind of problem; its detail says what to do")
    title = name.replace("-", " ").capitalize()
    every = f'<a href="{escape(link("/problems"))}">All problems</a>'
    body = f"<p>{escape(KINDS[name])}</p><p>{every}</p>"
    return HTMLResponse(_PAGE.format(title=escape(title), body=body))
