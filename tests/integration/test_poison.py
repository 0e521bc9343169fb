"""A document that ends its worker is found, worked on alone, and dead-lettered; others go on."""

import base64
import json
import os
import signal
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from bench.stack import Stack, free_port, stack
from schemas.kafka import producer_config
from tests.integration.test_kills import rows

NEIGHBOURS = 12
POISON = "poison"


@pytest.fixture
def running() -> Iterator[Stack]:
    """One worker against a model that takes its time; dead workers are noticed soon."""
    port = free_port()
    with stack(
        ollama_url=f"http://127.0.0.1:{port}",
        chat_model="fixed-chat",
        embedding_model="fixed-embed",
        partitions="4",
        lease="PT4S",
        session_timeout="PT6S",
    ) as made:
        made.start("model", sys.executable, "-m", "bench.fixed_model", str(port), "600", "4")
        made.worker("worker")
        yield made


def send(made: Stack, name: str) -> None:
    settings = made.settings
    content = base64.b64encode(f"A note about {name}.".encode()).decode()
    value = {
        "source": {"kind": "inline", "content_base64": content},
        "filename": f"{name}.txt",
        "type": None if name == POISON else "other",
    }
    headers = {
        "request-id": str(uuid.uuid4()),
        "gpt-id": settings.gpt_id,
        "schema": "process-document.v1",
    }
    producer = Producer(producer_config(settings))
    topic = f"{settings.topic_prefix}process-document"
    producer.produce(topic, json.dumps(value).encode(), headers=headers)
    assert producer.flush(30) == 0


def working_on_poison(made: Stack) -> list[tuple[object, ...]]:
    """Who works on it now, and whether alone; a suspect that waits for its turn hurts nobody."""
    return rows(
        made,
        "SELECT s.owner, s.alone FROM steps s JOIN documents d USING (document_id)"
        " WHERE d.filename = 'poison.txt' AND s.stage = 'classify' AND s.state = 'working'"
        " AND s.lease_until > now() AND (s.crashes < 2 OR s.alone)",
    )


def unfinished(made: Stack) -> bool:
    found = rows(made, "SELECT 1 FROM documents WHERE status IN ('completed', 'failed')")
    return len(found) < NEIGHBOURS + 1


def test_poison_is_found_and_its_neighbours_are_spared(running: Stack) -> None:
    """The worker dies whenever it works on it: beside others, then alone, then never again."""
    for number in range(NEIGHBOURS // 2):
        send(running, f"neighbour {number}")
    send(running, POISON)
    for number in range(NEIGHBOURS // 2, NEIGHBOURS):
        send(running, f"neighbour {number}")
    deaths: list[bool] = []
    while unfinished(running):
        for owner, alone in working_on_poison(running):
            worker = running.processes["worker"]
            if str(owner).endswith(f":{worker.pid}"):
                os.kill(worker.pid, signal.SIGKILL)
                worker.wait()
                deaths.append(bool(alone))
                running.worker("worker")
        time.sleep(0.05)

    statuses = Counter(rows(running, "SELECT filename = 'poison.txt', status FROM documents"))
    assert statuses == {(True, "failed"): 1, (False, "completed"): NEIGHBOURS}
    letters = rows(running, "SELECT stage, error, reason FROM dead_letters")
    assert [letter[:2] for letter in letters] == [("classify", "poison")]
    assert f"ended the worker's process {len(deaths)} times, 2 of them" in str(letters[0][2])
    assert deaths.count(True) == 2
