"""The page of problems: every kind that a client can meet."""

from cli.reference.markdown import NOTE, code, table

_HEAD = f"""\
# Problems

{NOTE}
Errors are problem documents (RFC 9457, `application/problem+json`). Their `type` is
`/problems/<name>`, which is also the path of a page that says what stands here; `code` is the same
name for programs, with underscores. `errors` names each wrong field.

Over HTTP, `type` and `instance` begin with the gateway's `PUBLIC_URL`, where it has one, as all
links do. Records on Kafka and rows have `/problems/<name>` alone: it stays the same, wherever a
gateway is reached from. Compare `code`, not `type`.

"""


def markdown() -> str:
    """Returns: the page."""
    from gateway.catalogue import KINDS

    return _HEAD + table(
        ("Name", "What it means, and what to do"),
        ((code(name), text) for name, text in KINDS.items()),
    )
