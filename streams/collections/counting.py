"""The steps of checking one body against its schema, counted along its own values.

`complexity.steps` bounds them by the number of values, at once and often far too high: a long list
counts as if each of its texts met all that the schema asks of any other. Where so much is not left
to a request, what this counts is what the body takes.
"""

from collections.abc import Sequence
from typing import Any, Final

from streams.collections.complexity import PATTERN_STEPS, ROOT, Part

_COUNTING_STEPS: Final = 2
"""What it takes to count one part at one value: less than a microsecond."""
_FEWEST_PATTERN_STEPS: Final = 2
_CHARS_A_STEP: Final = 4
"""Of a short text; it is matched in well under a microsecond, whatever the pattern."""


def steps(parts: Sequence[Part], body: dict[str, Any], most: int) -> int:
    """Returns: the steps of checking a body against a schema, given as its parts, and of counting.

    It counts no further than to more than `most`. `complexity.steps` has taken the schema.
    """
    waiting: list[tuple[int, Any, int]] = [(ROOT, body, 1)]
    total = 0
    while waiting:
        number, value, times = waiting.pop()
        part = parts[number]
        within = len(value) if isinstance(value, dict | list) else 0
        # Most of what stands together at one value asks nothing of the values within.
        children = _children(part, value) if within and part.deeper else ()
        count = len(part.same) + sum(len(own) + len(part.every) for own, _ in children)
        total += times * _own(part, value) + within + _COUNTING_STEPS * count
        # Before they are listed: a few lines of a schema and a body can make millions of pairs.
        if total > most:
            break
        # As `complexity` counts it: a second walk, and once more for each child.
        again = times * (2 + within) if part.again else times
        waiting += [(each, value, again) for each in part.same]
        waiting += [(each, child, times) for own, child in children for each in own]
        waiting += [(each, child, times) for each in part.every for _, child in children]
    return total


def _own(part: Part, value: Any) -> int:  # noqa: ANN401 - any JSON value
    if not part.pattern:
        return part.own
    chars = len(value) if isinstance(value, str) else 0
    matched = min(PATTERN_STEPS, _FEWEST_PATTERN_STEPS + chars // _CHARS_A_STEP)
    return part.own - PATTERN_STEPS + matched


def _children(
    part: Part,
    value: Any,  # noqa: ANN401 - any JSON value
) -> Sequence[tuple[tuple[int, ...], Any]]:
    """Returns: each value within a value, with the parts that apply to it beside `every`."""
    if isinstance(value, dict):
        members, others = part.members, part.others
        # By their own names: to put places together would copy the names above them each time.
        return [
            ((members[name],) if name in members else others, child)
            for name, child in value.items()
        ]
    if isinstance(value, list):
        ahead = [((each,), child) for each, child in zip(part.first, value, strict=False)]
        return ahead + [(part.rest, child) for child in value[len(ahead) :]]
    return ()
