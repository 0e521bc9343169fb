"""The load: clients that repeat what was not answered, and a producer, at a steady pace."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import Coroutine
from random import Random
from typing import Any

import httpx2
from confluent_kafka import KafkaError, Message, Producer

from tests.chaos import tenants
from tests.chaos.estate import Estate
from tests.chaos.journal import Journal, Sent
from tests.chaos.orders import (
    CHANGES,
    GPT,
    STORES,
    Kind,
    Order,
    change,
    collection,
    merged,
    object_key,
    operations,
    order,
    put,
    request_uuid,
)

_FIRST_PAUSE_S = 0.3
_LONGEST_PAUSE_S = 3.0
_ACCEPTED = 202
_TOO_MANY = 429
_UNAVAILABLE = 503
#: Numbers from here on are of documents that are sent beside the steady load.
_DOCUMENTS_FROM = 500_000


class Load:
    """Sends orders until told to stop; `finish` waits until each is accepted or refused."""

    def __init__(self, estate: Estate, journal: Journal, seed: int) -> None:
        self._journal = journal
        self._seed = seed
        self._numbers = itertools.count()
        self._documents = itertools.count(_DOCUMENTS_FROM)
        self._tasks: set[asyncio.Task[None]] = set()
        self._gateways = itertools.cycle(
            [f"http://127.0.0.1:{port}" for port in estate.gateways.values()]
        )
        key = estate.direct["ACTIONSTREAM_API_KEY"]
        self._admin = {"Authorization": f"Bearer {estate.direct['ACTIONSTREAM_ADMIN_KEY']}"}
        self._http = httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {key}"}, timeout=15, trust_env=False
        )
        self._producer = Producer(
            {
                "bootstrap.servers": estate.direct["ACTIONSTREAM_KAFKA_BOOTSTRAP"],
                "partitioner": "murmur2_random",
                "max.in.flight.requests.per.connection": 1,
                "message.timeout.ms": 600_000,
                "reconnect.backoff.max.ms": 1000,
                "log_level": 0,
            }
        )

    async def run(self, rate: float) -> None:
        """Send `rate` orders a second, at random moments, until cancelled.

        The first one makes the collection that later ones write to, so it is waited for.
        """
        self.send(next(self._numbers))
        await self.finish()
        chance = Random(f"pace {self._seed}")
        while True:
            await asyncio.sleep(chance.expovariate(rate))
            self.send(next(self._numbers))

    def send(self, number: int) -> None:
        """Begin to send the order of this number, if there is a document to send it about."""
        made = order(self._seed, number)
        if made.kind is Kind.TENANT:
            self._begin(
                tenants.come_and_go(
                    self._seed, number, self._journal, self._administer, self._published
                )
            )
            return
        target, version = self._target(made)
        if made.kind in {*CHANGES, Kind.MERGE_OBJECT} and target is None:
            return
        key = request_uuid(self._seed, number)
        sent = self._journal.begin(made, key, target, version)
        self._begin(self._publish(sent) if made.topic else self._call(sent))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def look(self) -> None:
        """Ask for accepted requests at random, until cancelled; none is ever unknown."""
        chance = Random(f"look {self._seed}")
        while True:
            await asyncio.sleep(chance.uniform(0.2, 0.8))
            known = [each for each in self._journal.sent.values() if each.request_id]
            if not known:
                continue
            sent = chance.choice(known)
            with contextlib.suppress(httpx2.TransportError):
                url = f"{next(self._gateways)}/v1/requests/{sent.request_id}"
                answer = await self._http.get(url)
                if not answer.is_success and answer.status_code != _UNAVAILABLE:
                    sent.odd.append(f"{answer.status_code} {_problem(answer)} when looked at")
                    self._journal.note("odd", number=sent.order.number, answer=sent.odd[-1])

    def send_document(self) -> None:
        """Begin to send a document that is to be completed, and no other kind of order."""
        kinds = {Kind.UPLOAD, Kind.PUBLISH}
        self.send(next(each for each in self._documents if order(self._seed, each).kind in kinds))

    async def finish(self) -> None:
        """Wait until every order is accepted or refused."""
        while self._tasks:
            done, _ = await asyncio.wait(self._tasks, timeout=1)
            for task in done:
                task.result()
        self._producer.flush(60)

    async def close(self) -> None:
        """Close the connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.aclose()

    async def pump(self) -> None:
        """Let the producer call back, until cancelled."""
        while True:
            self._producer.poll(0)
            await asyncio.sleep(0.05)

    def _target(self, made: Order) -> tuple[str | None, int | None]:
        """Returns: the document that a change is about, or the object and its version.

        A document that is through, except for deletions, which may overtake the document.
        """
        if made.kind is Kind.MERGE_OBJECT:
            there = self._journal.objects
            return there[int(made.draw * len(there))] if there else (None, None)
        if made.kind not in CHANGES:
            return None, None
        uploads = [sent.document_id for sent in self._journal.uploads()]
        known = set(self._journal.completed)
        chosen = [each for each in uploads if made.kind is Kind.DELETE or each in known]
        return (chosen[int(made.draw * len(chosen))] if chosen else None), None

    async def _call(self, sent: Sent) -> None:
        """Send an order over HTTP, again and again, until it is accepted or refused."""
        pause = _FIRST_PAUSE_S
        while True:
            sent.tries += 1
            with contextlib.suppress(httpx2.TransportError):
                answer = await self._http.request(**self._request(sent))
                if answer.is_success:
                    body = answer.json()
                    ids = {name: body.get(name) for name in ("request_id", "document_id")}
                    self._journal.accepted(sent, **ids)
                    return
                problem = _problem(answer)
                if 400 <= answer.status_code < 500:
                    self._journal.refused(sent, problem)
                    return
                if answer.status_code != _UNAVAILABLE:
                    sent.odd.append(f"{answer.status_code} {problem}")
                    self._journal.note("odd", number=sent.order.number, answer=sent.odd[-1])
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    def _request(self, sent: Sent) -> dict[str, Any]:
        """Returns: the arguments of the call; the next gateway is asked each time."""
        made, base = sent.order, next(self._gateways)
        headers = {"Idempotency-Key": sent.key, "Prefer": "wait=0"}
        if made.kind is Kind.MERGE_OBJECT:
            return _merge(sent, f"{base}/v1/objects/{sent.target}", headers)
        if made.kind in STORES:
            return _stored(made, f"{base}/v1/gpts/{GPT}/collections", headers, sent.key)
        url = f"{base}/v1/documents"
        if made.kind in CHANGES:
            url = f"{url}/{sent.target}"
        match made.kind:
            case Kind.UPDATE:
                body = {"metadata": {"chaos": made.number}}
                return {"method": "PATCH", "url": url, "headers": headers, "json": body}
            case Kind.DELETE:
                return {"method": "DELETE", "url": url, "headers": headers}
            case Kind.REPROCESS:
                return {"method": "POST", "url": f"{url}/reprocess", "headers": headers}
            case _:
                files = {"file": (made.filename, made.content)}
                return {"method": "POST", "url": url, "headers": headers, "files": files}

    async def _publish(self, sent: Sent) -> None:
        """Publish an order's record, and wait until the broker has it."""
        made = sent.order
        value, key = made.value, made.key or sent.key
        if made.kind is Kind.MERGE_OBJECT:
            said = json.loads(value)
            said["operation"] |= {"object_id": sent.target, "if_version": sent.version}
            value = json.dumps(said).encode()
        elif sent.target is not None:
            value, key = json.dumps(change(made, sent.target)).encode(), sent.target
            if made.kind is Kind.UPDATE:
                value = json.dumps({**change(made, sent.target), "by": "chaos"}).encode()
        good = {"request-id": sent.key, "gpt-id": GPT, "schema": f"{made.topic}.v1"}
        headers = {name: text for name, text in {**good, **made.headers}.items() if text}
        sent.tries += 1
        message = await self._published(str(made.topic), value, key, headers)
        place = (str(made.topic), message.partition(), message.offset())
        self._journal.accepted(sent, place=place)

    async def _published(
        self, topic: str, value: bytes, key: str, headers: dict[str, str]
    ) -> Message:
        """Publish a record until the broker has it. Returns: it, with its place."""
        loop = asyncio.get_running_loop()
        while True:
            delivered: asyncio.Future[Message | None] = loop.create_future()

            def told(
                error: KafkaError | None,
                message: Message,
                waiting: "asyncio.Future[Message | None]" = delivered,
            ) -> None:
                if not waiting.done():
                    waiting.set_result(message if error is None else None)

            self._producer.produce(topic, value, key, headers=headers, on_delivery=told)
            message = await delivered
            if message is not None:
                return message

    async def _administer(self, method: str, path: str, body: object, *, key: str) -> int:
        """Call as the one who administers, until that is done. Returns: the answer's status."""
        headers = {**self._admin, "Idempotency-Key": key, "Prefer": "wait=10"}
        pause = _FIRST_PAUSE_S
        while True:
            with contextlib.suppress(httpx2.TransportError):
                url = next(self._gateways) + path
                answer = await self._http.request(method, url, json=body, headers=headers)
                if answer.status_code not in {_ACCEPTED, _TOO_MANY, _UNAVAILABLE}:
                    return int(answer.status_code)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)


def _stored(made: Order, url: str, headers: dict[str, str], key: str) -> dict[str, Any]:
    """Returns: the arguments of a call about a collection below `url`, or its objects.

    Answers that are there at once do not name their request; it is known by its correlation id.
    """
    headers = {**headers, "X-Correlation-ID": key}
    one = f"{url}/{collection(made.kind, made.number)}"
    by_key = f"{one}/objects/by-key/{object_key(made.kind, made.number)}"
    match made.kind:
        case Kind.DEFINE | Kind.DEFINE_OTHER:
            waiting = {**headers, "Prefer": "wait=30"} if made.kind is Kind.DEFINE else headers
            body: Any = {"name": collection(made.kind, made.number)}
            return {"method": "POST", "url": url, "headers": waiting, "json": body}
        case Kind.DROP_OTHER:
            return {"method": "DELETE", "url": one, "headers": headers}
        case Kind.DROP_OBJECT:
            return {"method": "DELETE", "url": by_key, "headers": headers}
        case Kind.WRITE_BATCH:
            body = {"atomic": True, "operations": operations(made.number)}
            return {"method": "POST", "url": f"{one}/batch", "headers": headers, "json": body}
        case _:
            body = put(made.kind, made.number)
            return {"method": "PUT", "url": by_key, "headers": headers, "json": body}


def _merge(sent: Sent, url: str, headers: dict[str, str]) -> dict[str, Any]:
    more = {
        "X-Correlation-ID": sent.key,
        "If-Match": f'"{sent.version}"',
        "Content-Type": "application/merge-patch+json",
    }
    content = json.dumps(merged(sent.order.number)).encode()
    return {"method": "PATCH", "url": url, "headers": headers | more, "content": content}


def _problem(answer: httpx2.Response) -> str:
    try:
        return str(answer.json().get("code"))
    except ValueError:
        return answer.text[:200]
