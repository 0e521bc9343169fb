"""Search quality and latency on Cranfield: words, meaning, and both.

Puts the abstracts through the whole pipeline (type `other`, so that no time goes into fields), asks
each question over HTTP in each mode, and scores with ir-measures: nDCG@10 and recall@100.
"""

import argparse
import base64
import json
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import ir_measures
from confluent_kafka import Producer
from ir_measures import R, nDCG

from bench.percentiles import percentile, row
from bench.stack import Stack, free_port, stack
from schemas.kafka import producer_config

MODES = ("keyword", "semantic", "hybrid")
MEASURES = (nDCG @ 10, R @ 100)
DEPTH = 100


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench search", description=__doc__)
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("../shared/data/cranfield"),
        help="folder of corpus.jsonl, queries.jsonl and qrels.tsv (../shared/data/cranfield)",
    )
    parser.add_argument("--documents", type=int, default=0, help="only the first N; 0: all")
    parser.add_argument("--workers", type=int, default=1, help="worker processes (1)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def lines(file: Path) -> Iterator[dict[str, str]]:
    """Yield the objects of a JSON Lines file."""
    with file.open(encoding="utf-8") as content:
        for line in content:
            yield json.loads(line)


def fill(made: Stack, corpus: list[dict[str, str]]) -> None:
    """Publish all abstracts; their own numbers go into the metadata."""
    settings = made.settings
    producer = Producer(producer_config(settings))
    for document in corpus:
        request_id = str(uuid.uuid4())
        content = base64.b64encode(document["text"].encode() or b" ").decode()
        value = {
            "source": {"kind": "inline", "content_base64": content},
            "filename": f"{document['doc_id']}.txt",
            "title": document["title"],
            "metadata": {"cranfield": document["doc_id"]},
            "type": "other",
        }
        producer.produce(
            f"{settings.topic_prefix}process-document",
            json.dumps(value).encode(),
            request_id,
            headers={
                "request-id": request_id,
                "gpt-id": settings.gpt_id,
                "schema": "process-document.v1",
            },
        )
    producer.flush()


def ended(client: httpx2.Client) -> dict[str, str]:
    """Returns: the numbers of all documents that are through, by document id."""
    found: dict[str, str] = {}
    for status in ("completed", "failed"):
        cursor = None
        while True:
            where = json.dumps({"status": status})
            given: dict[str, Any] = {"where": where, "limit": 100}
            page = client.get(
                "/v1/documents", params={**given, "cursor": cursor} if cursor else given
            ).json()
            found.update(
                {item["document_id"]: item["metadata"]["cranfield"] for item in page["items"]}
            )
            cursor = page["next_cursor"]
            if not cursor:
                break
    return found


def ask(
    client: httpx2.Client, queries: list[dict[str, str]], numbers: dict[str, str], mode: str
) -> tuple[dict[str, dict[str, float]], list[float]]:
    """Returns: the ranking of each query, and the milliseconds of each answer."""
    run: dict[str, dict[str, float]] = {}
    taken: list[float] = []
    for query in queries:
        body: dict[str, Any] = {"q": query["text"], "mode": mode, "limit": 10}
        began = time.perf_counter()
        page = client.post("/v1/search", json=body).json()
        taken.append((time.perf_counter() - began) * 1000)
        items = page["items"]
        while page["has_more"] and len(items) < DEPTH:
            page = client.post("/v1/search", json={**body, "cursor": page["next_cursor"]}).json()
            items += page["items"]
        # Ranks, not scores: equal scores keep the order that the client saw.
        run[query["query_id"]] = {
            numbers[item["document_id"]]: float(-rank)
            for rank, item in enumerate(items)
            if item["document_id"] in numbers
        }
    return run, taken


def measure(made: Stack, options: argparse.Namespace) -> dict[str, Any]:
    """Returns: measures and latencies by mode."""
    corpus = list(lines(options.data / "corpus.jsonl"))
    corpus = [each for each in corpus if (each["title"] + each["text"]).strip()]
    corpus = corpus[: options.documents or None]
    queries = list(lines(options.data / "queries.jsonl"))
    qrels: dict[str, dict[str, int]] = {}
    for line in (options.data / "qrels.tsv").read_text(encoding="utf-8").splitlines():
        query, document, grade = line.split("\t")
        if grade.lstrip("-").isdigit():
            qrels.setdefault(query, {})[document] = int(grade)
    client = made.gateway()
    began = time.monotonic()
    fill(made, corpus)
    while len(numbers := ended(client)) < len(corpus):
        print(f"{len(numbers)} of {len(corpus)} documents are through", flush=True)
        time.sleep(5)
    found: dict[str, Any] = {
        "documents": len(corpus),
        "queries": len(queries),
        "filled_seconds": round(time.monotonic() - began),
    }
    for mode in MODES:
        ask(client, queries[:20], numbers, mode)  # warm
        run, taken = ask(client, queries, numbers, mode)
        scores = ir_measures.calc_aggregate(MEASURES, qrels, run)
        found[mode] = {
            **{str(name): round(value, 4) for name, value in scores.items()},
            "ms": row(taken),
            "p50_ms": percentile(taken, 0.5),
        }
    return found


def main() -> int:
    """Run the benchmark and print it."""
    options = _arguments()
    if not options.data.is_dir():
        print(f"there is no {options.data}; name the folder with --data")
        return 2
    port = free_port()
    with stack(partitions="4", ollama_url=f"http://127.0.0.1:{port}") as made:
        made.start("models", sys.executable, "-m", "local.models", "--port", str(port))
        for number in range(options.workers):
            made.worker(f"worker-{number}")
        found = measure(made, options)
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    print(f"{found['documents']} documents, {found['queries']} questions")
    for mode in MODES:
        scores = found[mode]
        print(
            f"{mode:<9} nDCG@10 {scores['nDCG@10']:.4f}  R@100 {scores['R@100']:.4f}"
            f"  p50 / p95 / p99 / max ms  {scores['ms']}"
        )
    return 0
