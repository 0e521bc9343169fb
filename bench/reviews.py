"""How honest the confidences are on an installation's own documents, by what people decided.

Reads the decisions of reviews from the database of ACTIONSTREAM_DATABASE_URL: each plain field that
somebody accepted or corrected, with the confidence that the machine gave it. Reviewed documents are
those that the machine was not sure of, so the share that is right is lower than over all documents;
whether a confidence is honest does not depend on that. `bench extraction --fit --reviews` fits the
weights to these values too.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row
from pydantic import TypeAdapter
from sqlalchemy import make_url

from bench import reliability
from bench.calibration import Seen, measure
from schemas.document_types import builtin, parse
from schemas.fields import Answer, FieldAnswer
from streams.extraction.confidence import present_features
from streams.settings import Settings

_ANSWERS: TypeAdapter[dict[str, Answer]] = TypeAdapter(dict[str, Answer])
_DECIDED = """
SELECT r.fields AS judged, n.fields AS machine, n.type, t.definition
FROM reviews r JOIN runs n ON n.run_id = r.run_id
LEFT JOIN document_types t ON t.gpt_id = r.gpt_id AND t.name = n.type
WHERE r.decision <> 'reject' ORDER BY r.decided_at
"""


def decided() -> list[Seen]:
    """Returns: each plain value that a person judged, with its features and its confidence.

    Raises: psycopg.Error: the database of the environment does not answer.
    """
    url = make_url(Settings().database_url.get_secret_value()).set(drivername="postgresql")
    with psycopg.connect(
        url.render_as_string(hide_password=False), row_factory=namedtuple_row
    ) as connection:
        return [seen for row in connection.execute(_DECIDED) for seen in _of(row)]


def _of(row: Any) -> Iterator[Seen]:  # noqa: ANN401 - the driver's row
    known = parse(row.definition) if row.definition is not None else builtin().get(row.type)
    kinds = {} if known is None else known.kinds()
    for name, answer in _ANSWERS.validate_python(row.machine or {}).items():
        judged = row.judged.get(name)
        if judged is None or name not in kinds or not isinstance(answer, FieldAnswer):
            continue
        if answer.value is not None:
            features = present_features(kinds[name], answer.value, answer.evidence)
            yield Seen(features, answer.confidence, bool(judged["right"]))


def main() -> int:
    """Measure and print; 1 where nobody has decided anything yet."""
    parser = argparse.ArgumentParser(prog="python -m bench reviews", description=__doc__)
    parser.add_argument("--plot", type=Path, help="draw the reliability into this PNG file")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    seen = decided()
    if not seen:
        print("no decisions yet: see GET /v1/reviews", file=sys.stderr)
        return 1
    found = measure([one.confidence for one in seen], [one.right for one in seen])
    if options.plot is not None:
        reliability.draw(options.plot, f"{len(seen)} values that people judged", found)
    if options.json:
        print(json.dumps(found._asdict()))
        return 0
    auroc = "-" if found.auroc is None else f"{found.auroc:.3f}"
    print(f"{found.answers} values judged by people, {found.share_right:.1%} of them right")
    print(f"ECE {found.ece:.3f}  Brier {found.brier:.3f}  AUROC {auroc}")
    return 0
