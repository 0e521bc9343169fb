"""`fields=`: only some of an object's body."""

import json
from typing import Any, Final

from gateway.errors import InvalidInput
from schemas.object_where import path_of

MAX_FIELDS: Final = 50

Tree = dict[str, Any]
"""Keys to keep; below each the tree of what to keep of its value, none where it is kept whole."""


def tree_of(fields: str) -> Tree:
    """Returns: what paths such as `title,address.city` keep.

    Raises:
        InvalidInput: too many, or one that is no path.
    """
    names = [name.strip() for name in fields.split(",") if name.strip()]
    if not 1 <= len(names) <= MAX_FIELDS:
        raise InvalidInput.at("/fields", f"name 1 to {MAX_FIELDS} paths, with commas between them")
    tree: Tree = {}
    for name in names:
        try:
            path = path_of(name)
        except ValueError as error:
            raise InvalidInput.at("/fields", str(error)) from error
        _grow(tree, path)
    return tree


def trimmed(body: str, tree: Tree) -> str:
    """Returns: the JSON of a body with nothing but what the tree names.

    Below a list, what it names is kept of each element.
    """
    kept = _kept(json.loads(body), tree)
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def _grow(tree: Tree, path: tuple[str, ...]) -> None:
    for part in path[:-1]:
        inner = tree.setdefault(part, {})
        if inner is None:
            return
        tree = inner
    tree[path[-1]] = None


def _kept(value: Any, tree: Tree) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, list):
        return [_kept(one, tree) for one in value if isinstance(one, dict | list)]
    return {
        key: value[key] if inner is None else _kept(value[key], inner)
        for key, inner in tree.items()
        if key in value and (inner is None or isinstance(value[key], dict | list))
    }
