"""What cannot be worked off gets a reason, and the pipeline goes on."""

import base64
import json
import uuid
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from confluent_kafka import OFFSET_END, Consumer, Producer, TopicPartition

from schemas.kafka import client_config, producer_config
from tests.e2e.conftest import SAMPLES, ClientSettings, Upload

PDF = (SAMPLES / "invoice-harbour-foods.pdf").read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("truncated.pdf", PDF[: len(PDF) // 3], "corrupt"),
        ("picture.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 64, "corrupt"),
        ("program.bin", b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 8, "unsupported_type"),
    ],
)
def test_unreadable_files_fail_with_a_reason(
    upload: Upload, name: str, content: bytes, code: str
) -> None:
    """The document's own status and problem say what is wrong with it."""
    document = upload(name, content)

    assert document["status"] == "failed"
    assert document["problem"]["code"] == code
    assert document["problem"]["detail"]


@pytest.mark.parametrize(
    "content",
    [
        b"NUL\0bytes\0inside a letter of a few words",
        b"caf\xe9 in Latin-1, not UTF-8, and some more words",
        "مرحبا بالعالم — שלום עולם — e\u0301\u0302 combining".encode(),
    ],
)
def test_odd_text_is_read(upload: Upload, content: bytes) -> None:
    """NUL bytes, other encodings, right-to-left and combining text are documents like any other."""
    assert upload("odd.txt", content)["status"] == "completed"


def test_a_wrong_extension_does_not_matter(upload: Upload) -> None:
    """The type is told by the content, not by the name."""
    document = upload("picture.jpg", PDF)

    assert (document["status"], document["content_type"]) == ("completed", "application/pdf")


def test_an_instruction_in_a_document_changes_nothing(upload: Upload) -> None:
    """The sample letter that gives orders to its reader is read as the letter it is."""
    name = "letter-with-instructions.pdf"
    truth = json.loads((SAMPLES / name).with_suffix(".json").read_text())

    document = upload(name, (SAMPLES / name).read_bytes())

    assert document["type"] == truth["type"]
    assert document["fields"]["date"] == truth["fields"]["date"]["normalised"]


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x.pdf",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/x.pdf",
        "http://example.com/x.pdf",
        "https://localhost/x.pdf",
    ],
)
def test_links_inward_are_refused(api: httpx2.Client, url: str) -> None:
    """A link into a private network or without TLS fails, by a refusal at once or by its reason."""
    answer = api.post("/v1/documents", json={"file_url": url, "wait_s": 30})

    if answer.status_code == 422:
        assert answer.json()["detail"]
        return
    assert answer.json()["status"] == "failed", answer.text
    assert answer.json()["problem"]["code"] in {"private_address", "bad_scheme", "bad_port"}


Publish = Callable[..., dict[str, str]]


@pytest.fixture
def publish(settings: ClientSettings) -> Publish:
    """Publishes a raw record and returns the headers of its dead letter."""
    prefix = settings.topic_prefix

    def send(value: bytes, headers: dict[str, str | bytes], topic: str = "process-document") -> Any:
        consumer = Consumer(
            {**client_config(settings), "group.id": uuid.uuid4().hex, "enable.auto.commit": False}
        )
        consumer.assign([TopicPartition(f"{prefix}{topic}-dlq", 0, OFFSET_END)])
        consumer.poll(2)
        producer = Producer({**producer_config(settings), "message.max.bytes": 4 * 1024 * 1024})
        key = uuid.uuid4().hex
        producer.produce(f"{prefix}{topic}", value, key, headers=headers)
        producer.flush(10)
        for _ in range(60):
            message = consumer.poll(1)
            if message is not None and message.error() is None and message.key() == key.encode():
                consumer.close()
                return {name: text.decode(errors="replace") for name, text in message.headers()}
        consumer.close()
        return {}

    return send


def headers(**changes: str | bytes | None) -> dict[str, str | bytes]:
    """Headers of a good record, with changes; None takes one away."""
    good: dict[str, str | bytes | None] = {
        "request-id": str(uuid.uuid4()),
        "gpt-id": "demo",
        "schema": "process-document.v1",
    }
    named = {name.replace("_", "-"): value for name, value in changes.items()}
    return {name: value for name, value in {**good, **named}.items() if value is not None}


GOOD = {
    "source": {"kind": "inline", "content_base64": base64.b64encode(b"words").decode()},
    "filename": "note.txt",
}


@pytest.mark.parametrize(
    ("value", "given", "error"),
    [
        (b"not json", headers(), "invalid_record"),
        (json.dumps({**GOOD, "filename": 17}).encode(), headers(), "invalid_record"),
        (json.dumps({"source": {"kind": "fax"}}).encode(), headers(), "invalid_record"),
        (json.dumps(GOOD).encode(), headers(gpt_id=None), "invalid_record"),
        (json.dumps(GOOD).encode(), headers(request_id=None), "invalid_record"),
        (json.dumps(GOOD).encode(), headers(schema="process-document.v2"), "unknown_schema"),
        (json.dumps(GOOD).encode(), headers(gpt_id="nobody"), "unknown_tenant"),
        (json.dumps(GOOD).encode(), headers(gpt_id=b"\xff\xfe"), "invalid_record"),
        (
            json.dumps({"source": {"kind": "s3", "key": "other/documents/x"}}).encode(),
            headers(),
            "foreign_key",
        ),
        (
            json.dumps({"source": {"kind": "inline", "content_base64": "%%%"}}).encode(),
            headers(),
            "bad_base64",
        ),
        (b" " * (2 * 1024 * 1024 - 1024), headers(), "bad_value"),
    ],
)
def test_bad_records_become_dead_letters(
    publish: Publish, value: bytes, given: dict[str, str | bytes], error: str
) -> None:
    """Each bad record is in the dead-letter topic with its reason and origin."""
    letter = publish(value, given)

    assert letter["error"] == error
    assert letter["reason"]
    assert letter["origin-topic"] == "process-document"


def test_unknown_fields_of_a_record_are_ignored(
    api: httpx2.Client, settings: ClientSettings
) -> None:
    """Readers of Kafka ignore what they do not know, so that producers can be newer."""
    producer = Producer(producer_config(settings))
    marker = uuid.uuid4().hex
    value = {**GOOD, "metadata": {"marker": marker}, "colour": "blue"}
    producer.produce(
        f"{settings.topic_prefix}process-document",
        json.dumps(value).encode(),
        marker,
        headers=headers(),
    )
    producer.flush(10)

    where = json.dumps({"metadata.marker": marker})
    for _ in range(100):
        items = api.get("/v1/documents", params={"where": where}).json()["items"]
        if items and items[0]["status"] == "completed":
            break
    assert items[0]["metadata"] == {"marker": marker}
