"""Measures extraction from files to fields, and how honest its confidences are; fits them.

    python -m bench extraction --data DIR [--fit]           with the local models
    python -m bench extraction --model NAME --ollama-url URL    with any other

Every other document is for fitting, the rest for reporting. Writes a reliability plot, and with
`--fit` the weights of the model's family into `streams/extraction/confidence.json`.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

from bench import reliability
from bench.asking import Outcome, local_models, work
from bench.calibration import PRIOR_ABSENT, PRIOR_PRESENT, Seen, fit, measure
from bench.cases import Case, halves, load
from bench.report import Judged, judge, print_failures, print_report, seen_absent, seen_present
from bench.reviews import decided
from streams.clients.calls import Caps
from streams.clients.ollama import connect
from streams.errors import DependencyDown
from streams.extraction.confidence import DEFAULT_FAMILY, Family, Parameters, family_of, parameters

_PROJECT = Path(__file__).resolve().parent.parent
_TIMEOUT_S = 600.0
_BLIND = {"model_logit": 0.3, "model_unavailable": 0.0}
_TYPICAL_LOGIT = 2.2
_ALLOWANCE = 0.04
"""The rules of the local models were written with half of the documents in view. An earlier set of
rules, written with 100 receipts in view, was wrong 3 to 8 points more often on 200 others."""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench extraction", description=__doc__)
    parser.add_argument("--samples", type=Path, default=_PROJECT / "examples" / "documents")
    parser.add_argument("--data", type=Path, default=_PROJECT.parent / "shared" / "data")
    parser.add_argument("--model", default="local-extractive")
    parser.add_argument(
        "--ollama-url", help="an Ollama API; the local models are started if absent"
    )
    parser.add_argument("--context-tokens", type=int, default=8192)
    parser.add_argument("--ocr", default="auto")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache/actionstream/bench")
    parser.add_argument("--only", help="only documents whose group/name contains this")
    parser.add_argument("--plot", type=Path, default=_PROJECT / "docs/benchmarks/reliability.png")
    parser.add_argument("--fit", action="store_true", help="fit the confidences and keep them")
    parser.add_argument(
        "--reviews",
        action="store_true",
        help="with --fit: also to what people decided; see `python -m bench reviews`",
    )
    parser.add_argument("--failures", action="store_true", help="print every wrong value")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


async def _ask(chosen: argparse.Namespace, url: str, cases: Sequence[Case]) -> list[Judged]:
    models = connect(
        url,
        chat_model=chosen.model,
        embedding_model=chosen.model,
        caps=Caps(slots=1, timeout=timedelta(seconds=_TIMEOUT_S)),
        context_tokens=chosen.context_tokens,
    )
    judged: list[Judged] = []
    try:
        for number, case in enumerate(cases, 1):
            print(f"\r{number}/{len(cases)} {case.name:50.50}", end="", file=sys.stderr)
            outcome: Outcome = await work(models, case, chosen.cache, chosen.ocr)
            judged.append(judge(case, outcome))
    finally:
        print(f"\r{'':70}\r", end="", file=sys.stderr)
        await models.close()
    return judged


def _fitted(judged: Sequence[Judged], model: str, decided: Sequence[Seen]) -> Parameters:
    """The parameters with the family of `model`, and for the local one the default, fitted anew."""
    present, absent = [*seen_present(judged), *decided], seen_absent(judged)
    family = family_of(model)
    allowance = _ALLOWANCE if family == "local" else 0.0
    own = Family(
        present=fit(present, PRIOR_PRESENT, allowance), absent=fit(absent, PRIOR_ABSENT, allowance)
    )
    families = {**parameters().families, family: own}
    if family == "local":
        families[DEFAULT_FAMILY] = Family(
            present=_blind([one.blind() for one in present], PRIOR_PRESENT),
            absent=_blind([one.blind() for one in absent], PRIOR_ABSENT),
        )
    fitted: dict[str, str | int] = {
        "command": "python -m bench extraction --fit",
        "date": datetime.now(UTC).date().isoformat(),
        "model": model,
        "documents": len(judged),
        "values": len(present),
        "absences": len(absent),
    }
    return Parameters(version=1, fitted=fitted, families=dict(sorted(families.items())))


def _blind(seen: Sequence[Seen], prior: dict[str, float]) -> dict[str, float]:
    """Weights for models that were never measured: their score counts little, around 0.9."""
    weights = fit(seen, {**prior, **_BLIND}, _ALLOWANCE)
    weights["bias"] = round(weights["bias"] - _BLIND["model_logit"] * _TYPICAL_LOGIT, 3)
    weights["model_unavailable"] = round(_BLIND["model_logit"] * _TYPICAL_LOGIT, 3)
    return weights


def main() -> None:
    """Measure, and fit if asked to."""
    chosen = _options()
    cases = [case for case in load(chosen.samples, chosen.data) if (chosen.only or "") in case.name]
    log = chosen.cache / "models.log"
    server = contextlib.nullcontext(chosen.ollama_url) if chosen.ollama_url else local_models(log)
    began = time.monotonic()
    if not cases:
        raise SystemExit("No documents: name folders that hold some by --samples and --data.")
    try:
        with server as url:
            judged = asyncio.run(_ask(chosen, url, cases))
    except (DependencyDown, TimeoutError) as error:
        raise SystemExit(str(error)) from error
    took = time.monotonic() - began
    for_fit = {case.name for case in halves(cases)[0]}
    first = [one for one in judged if one.case.name in for_fit]
    second = [one for one in judged if one.case.name not in for_fit]
    weights = parameters()
    if chosen.fit:
        weights = _fitted(first, chosen.model, decided() if chosen.reviews else ())
        target = resources.files("streams.extraction").joinpath("confidence.json")
        Path(str(target)).write_text(json.dumps(weights.model_dump(), indent=2) + "\n", "utf-8")
        family = weights.family(chosen.model)
        first, second = ([one.reweighed(family) for one in half] for half in (first, second))
    report = print_report(first, second, quiet=chosen.json)
    if chosen.failures:
        print_failures([*first, *second])
    values = [one for one in seen_present(second) if one.weight == 1.0]
    calibration = measure([one.confidence for one in values], [one.right for one in values])
    reliability.draw(
        chosen.plot, f"{chosen.model}, {len(second)} documents not fitted on", calibration
    )
    if chosen.json:
        print(json.dumps({"model": chosen.model, "seconds": round(took, 1), **report}))
    else:
        print(f"\n{chosen.model}: {len(cases)} documents in {took:.0f} s")


if __name__ == "__main__":
    main()
