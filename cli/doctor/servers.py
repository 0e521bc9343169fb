"""Checks of Kafka, OpenSearch and the object store."""

import asyncio
from http import HTTPStatus

from botocore.exceptions import ClientError
from opensearchpy.exceptions import NotFoundError

from cli.doctor.check import Check, Wrong
from cli.kafka import quiet_admin
from schemas import indexes
from schemas.indexes import Vectors
from streams import topics_admin
from streams.clients import s3
from streams.clients.opensearch import SearchIndex
from streams.settings import Settings

_NAMED = 3


def checks(settings: Settings) -> tuple[Check, ...]:
    """Returns: the checks of the servers that hold records, entries and bytes."""
    return (
        Check(
            "kafka",
            lambda: asyncio.to_thread(_kafka, settings),
            f"start Kafka at {settings.kafka_bootstrap}, or set ACTIONSTREAM_KAFKA_BOOTSTRAP",
        ),
        Check(
            "opensearch",
            lambda: _opensearch(settings),
            f"start OpenSearch at {settings.opensearch_url}, or set ACTIONSTREAM_OPENSEARCH_URL",
        ),
        Check(
            "object store",
            lambda: _object_store(settings),
            "start the object store, or set ACTIONSTREAM_S3_ENDPOINT and its keys",
        ),
    )


def _kafka(settings: Settings) -> str:
    found = topics_admin.drift(settings, quiet_admin(settings))
    if found:
        named = "; ".join(f"{one.topic}: {one.what}" for one in found[:_NAMED])
        more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        mended = all(one.mended for one in found)
        remedy = "run `actionstream topics apply`" if mended else "see `actionstream topics show`"
        raise Wrong(f"the topics differ from the catalogue: {named}{more}", remedy)
    return f"{len(topics_admin.wanted(settings))} topics agree with the catalogue"


async def _opensearch(settings: Settings) -> str:
    index = SearchIndex.connect(settings)
    client = index._client  # noqa: SLF001 - the doctor looks where the workers do not
    migrate = "run `actionstream migrate`"
    try:
        await index.ping()
        try:
            mappings = await client.indices.get_mapping(index=index.alias)
            pipeline = settings.index_prefix + indexes.PIPELINE
            await client.transport.perform_request("GET", f"/_search/pipeline/{pipeline}")
        except NotFoundError as error:
            missing = "the search pipeline" if "pipeline" in str(error.info) else "the index"
            raise Wrong(f"{missing} is missing", migrate) from None
        [(name, mapping)] = mappings.items()
        vectors = Vectors.of(mapping["mappings"])
        if vectors != Vectors(settings.embedding_model, settings.embedding_dimensions):
            made_by = "an unknown model" if vectors is None else vectors.model
            raise Wrong(
                f"the index {name} holds vectors of {made_by}, the settings name "
                f"{settings.embedding_model} with {settings.embedding_dimensions} dimensions",
                "run `actionstream reindex`, or set ACTIONSTREAM_EMBEDDING_MODEL and "
                "ACTIONSTREAM_EMBEDDING_DIMENSIONS as they were",
            )
        return f"index {name} behind {index.alias}, with its pipeline"
    finally:
        await index.close()


async def _object_store(settings: Settings) -> str:
    async with s3.connect(settings) as store:
        try:
            await store.ping()
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != HTTPStatus.NOT_FOUND:
                raise
            missing = f"the bucket {settings.s3_bucket} is missing"
            raise Wrong(missing, "run `actionstream migrate`") from None
    return f"bucket {settings.s3_bucket}"
