"""The composition root of a worker: settings, clients, stages, and the consumer that feeds them.

`pipeline` lists the stages in flow order; reading it is reading the system.
"""

import asyncio
import gc
import os
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog
import uvloop
from prometheus_client import start_http_server

from schemas.ids import Ids
from schemas.topics import SETS, group
from streams import consumer, logs, targets, topics_admin
from streams.answers import Answers
from streams.batch_ledger import BatchLedger
from streams.batches import Batches
from streams.beside import Beside
from streams.clients import ollama, s3
from streams.clients.fetch import Fetch
from streams.clients.ollama import Models, WrongModel
from streams.clients.opensearch import SearchIndex
from streams.clients.postgres import Database
from streams.clients.s3 import ObjectStore
from streams.expanding import archive
from streams.files import Files
from streams.heartbeat import Heartbeat
from streams.ledger import Ledger
from streams.parsing.documents import DocumentParser
from streams.pictures import Pictures
from streams.retries import Attempts
from streams.runner import Runner
from streams.settings import Settings
from streams.stage import Reading
from streams.stages import (
    batches,
    cancel,
    classify,
    clear,
    collections,
    complete,
    define,
    delete,
    discard,
    expand,
    extract,
    forget,
    index,
    index_object,
    notify,
    parse,
    ping,
    purge,
    receive,
    redrive,
    reprocess,
    reshape,
    review,
    tenants,
    trial,
    update,
    webhooks,
)
from streams.startup import Check, StartUp, done_before
from streams.webhooks.bell import Bell

log = structlog.get_logger()

ALL = "all"
"""All sets of stages in one worker."""

ASKING = frozenset({ALL, "models"})
"""The sets whose stages ask models; the others start without them."""


@dataclass(frozen=True, slots=True)
class Clients:
    """What the stages use."""

    database: Database
    store: ObjectStore
    search: SearchIndex
    models: Models
    parser: DocumentParser
    fetch: Fetch
    ids: Ids
    bell: Bell


def pipeline(clients: Clients, settings: Settings) -> tuple[Reading[Any], ...]:
    """Returns: the stages in the order in which a document meets them, then the other ones."""
    database, store, search = clients.database, clients.store, clients.search
    models, ids = clients.models, clients.ids
    budget = settings.work_budget
    files = Files(store, settings.max_document_bytes, settings.work_dir)
    pictures = Pictures(database, files, clients.parser, models)
    answers = Answers(database, models, pictures)
    return (
        receive.stage(database, files, clients.fetch, ids),
        parse.stage(database, files, clients.parser, ids),
        classify.stage(database, answers),
        extract.stage(database, answers, budget=budget),
        index.extracted(database, models, search),
        complete.stage(database),
        update.stage(database),
        review.stage(database),
        index.updated(database, models, search),
        index_object.stage(database, models, search, ids),
        delete.stage(database, ids),
        purge.stage(database, store, search, ids),
        reprocess.stage(database, ids),
        define.stage(),
        trial.stage(database, answers, budget=budget),
        redrive.stage(database, per_second=settings.redrive_per_second),
        discard.stage(database),
        collections.stage(ids, collections.limits(settings)),
        reshape.stage(database, ids),
        clear.stage(database, ids),
        tenants.stage(),
        forget.stage(database, store, ids),
        webhooks.stage(ids, clients.bell, settings.max_webhooks_per_gpt),
        notify.stage(ids, clients.bell),
        batches.stage(ids, most_documents=settings.max_batch_documents),
        expand.stage(
            database,
            files,
            ids,
            archive.limits(settings),
            most_documents=settings.max_batch_documents,
            budget=budget,
        ),
        cancel.stage(database, ids),
        ping.stage(),
    )


@asynccontextmanager
async def clients(settings: Settings) -> AsyncIterator[Clients]:
    """Yield the clients; close them in the end."""
    async with AsyncExitStack() as stack:
        database = Database.connect(
            settings.database_url.get_secret_value(), pool=settings.database_pool
        )
        stack.push_async_callback(database.close)
        search = SearchIndex.connect(settings)
        stack.push_async_callback(search.close)
        models = ollama.of(settings)
        stack.push_async_callback(models.close)
        parser = await stack.enter_async_context(DocumentParser.open(settings))
        yield Clients(
            database=database,
            store=await stack.enter_async_context(s3.connect(settings)),
            search=search,
            models=models,
            parser=parser,
            fetch=Fetch.of(settings),
            ids=Ids(settings.id_secret.get_secret_value()),
            bell=Bell(),
        )


def chosen(stages: Sequence[Reading[Any]], name: str) -> tuple[Reading[Any], ...]:
    """Returns: the stages of a set, in flow order. Raises: ValueError: there is no such set."""
    if name == ALL:
        return tuple(stages)
    if name not in SETS:
        message = f"there is no set of stages {name!r}; there are {ALL}, {', '.join(SETS)}"
        raise ValueError(message)
    return tuple(stage for stage in stages if stage.name in SETS[name])


async def work(settings: Settings, name: str) -> None:
    """Work until SIGTERM or SIGINT: one set of stages or all, each set in its consumer group."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    owner = f"{socket.gethostname()}:{os.getpid()}"
    # What start-up made stays; without it, each full collection would walk through all modules.
    gc.collect()
    gc.freeze()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        opened = await stack.enter_async_context(clients(settings))
        stages = chosen(pipeline(opened, settings), name)
        groups = dict.fromkeys(group(stage.name) for stage in stages)
        apps = {
            each: consumer.create(settings, group=settings.topic_prefix + each, folder=folder)
            for each in groups
        }
        ledger = Ledger(opened.database, owner=owner, lease=settings.lease)
        # All publish through the one that ends last.
        publisher = consumer.KafkaPublisher([*apps.values()][-1], prefix=settings.topic_prefix)
        runner = Runner(
            ledger,
            publisher,
            opened.ids,
            attempts=Attempts(settings.attempts, settings.stage_attempts),
            grace=settings.grace,
            bugs_in_a_row=settings.bugs_in_a_row,
            suspect_crashes=settings.suspect_crashes,
            reply_topics=settings.reply_topics,
        )
        together = Batches(runner, BatchLedger(opened.database, owner=owner))
        startup = StartUp()
        heartbeat = Heartbeat(
            opened.database,
            owner=owner,
            stages=name,
            state=lambda: _state(opened.models, startup, runner),
        )
        await stack.enter_async_context(heartbeat.beating())
        if not await done_before(stop, _ready(opened, settings, name, startup)):
            return
        for stage in stages:
            app = apps[group(stage.name)]
            consumer.attach(app, stage, runner, together, prefix=settings.topic_prefix)
        beside = Beside(settings, opened.database, publisher, opened.ids, opened.bell, owner)
        names = [stage.name for stage in stages]
        async with consumer.running([*apps.values()], grace=settings.grace), beside.running(names):
            log.info("working", stages=names, owner=owner)
            await stop.wait()
            log.info("stopping", owner=owner)


def _state(models: Models, startup: StartUp, runner: Runner) -> dict[str, Any]:
    """Returns: what the heartbeat tells of this worker."""
    return {
        "waiting_for": dict(startup.waiting_for),
        "models": models.states(),
        "stopped_stages": dict(runner.alarm.stopped),
        "version": version("actionstream"),
    }


async def _ready(opened: Clients, settings: Settings, name: str, startup: StartUp) -> None:
    """Wait until everything that this set of stages needs is there. Raises: WrongModel."""
    needed: dict[str, Check] = {
        "kafka": lambda: asyncio.to_thread(topics_admin.check, settings),
        "postgres": opened.database.ping,
        "s3": opened.store.ping,
        "opensearch": opened.search.ping,
    }
    if name in ASKING:
        needed["models"] = opened.models.ping
    await startup.wait_for_all(needed)
    if name in ASKING:
        await startup.wait_for("embeddings", opened.models.check_embeddings)
    await targets.warn_of_another_model(opened.search, settings)


def run(settings: Settings, name: str) -> None:
    """Configure logging and work until told to stop.

    Raises: SystemExit: the embedding model is not the one that it is named after.
    """
    logs.configure(settings)
    if settings.metrics_port:
        start_http_server(settings.metrics_port, addr=settings.metrics_host)
    try:
        uvloop.run(work(settings, name))
    except WrongModel as error:
        log.critical("wrong model", reason=str(error))
        raise SystemExit(str(error)) from error
