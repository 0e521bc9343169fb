"""Each local server does what the product needs of it, asked with the product's own clients."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager

import httpx2
import psycopg
import pytest
from aiobotocore.client import AioBaseClient
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from sqlalchemy import make_url

from local import ollama, ports, readiness
from local.environment import inherited
from local.errors import Obstacle

PART = 5 * 1024**2


@pytest.fixture(scope="module")
def at() -> dict[str, str]:
    """Returns: the addresses of the servers that `make integration` started."""
    found = inherited()
    assert "ACTIONSTREAM_KAFKA_BOOTSTRAP" in found, "run by `make integration`, not by itself"
    return found


@pytest.fixture
def topic(at: dict[str, str]) -> Iterator[str]:
    """Returns: the name of a new topic with two partitions."""
    admin = AdminClient({"bootstrap.servers": at["ACTIONSTREAM_KAFKA_BOOTSTRAP"]})
    name = f"local-test-{uuid.uuid4().hex}"
    admin.create_topics([NewTopic(name, num_partitions=2)])[name].result()
    yield name
    admin.delete_topics([name])[name].result()


@pytest.fixture
async def search(at: dict[str, str]) -> AsyncIterator[httpx2.AsyncClient]:
    """Returns: a client of OpenSearch."""
    url = at["ACTIONSTREAM_OPENSEARCH_URL"]
    async with httpx2.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
        yield client


def s3(at: dict[str, str], secret: str | None = None) -> AbstractAsyncContextManager[AioBaseClient]:
    """Returns: an S3 client with the run's key, and its secret or another."""
    client: AbstractAsyncContextManager[AioBaseClient] = get_session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=at["ACTIONSTREAM_S3_ENDPOINT"],
        aws_access_key_id=at["ACTIONSTREAM_S3_ACCESS_KEY"],
        aws_secret_access_key=secret or at["ACTIONSTREAM_S3_SECRET_KEY"],
        config=AioConfig(s3={"addressing_style": "path"}),
    )
    return client


@pytest.fixture
async def bucket(at: dict[str, str]) -> str:
    """Returns: the name of a new bucket."""
    name = f"local-test-{uuid.uuid4().hex}"
    async with s3(at) as client:
        await client.create_bucket(Bucket=name)
    return name


def test_kafka_keeps_a_record_with_its_headers(at: dict[str, str], topic: str) -> None:
    """An idempotent producer's record comes back with key, value and headers."""
    bootstrap = {"bootstrap.servers": at["ACTIONSTREAM_KAFKA_BOOTSTRAP"]}
    producer = Producer({**bootstrap, "enable.idempotence": True})
    producer.produce(topic, b"value", b"key", headers={"h": b"1"})
    assert producer.flush(30) == 0
    consumer = Consumer({**bootstrap, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    message = consumer.poll(30)
    consumer.close()
    assert message is not None
    assert (message.key(), message.value(), message.headers()) == (b"key", b"value", [("h", b"1")])


def test_kafka_makes_no_topic_by_itself(at: dict[str, str]) -> None:
    """A topic that nobody declared is not created by asking for it."""
    admin = AdminClient({"bootstrap.servers": at["ACTIONSTREAM_KAFKA_BOOTSTRAP"]})
    name = f"nobody-{uuid.uuid4().hex}"
    admin.list_topics(name, timeout=30)
    assert name not in admin.list_topics(timeout=30).topics


async def test_postgres_wants_the_password(at: dict[str, str]) -> None:
    """A connection from this machine with a wrong password is refused."""
    url = at["ACTIONSTREAM_ADMIN_DATABASE_URL"].replace("+psycopg", "")
    wrong = url.replace(at["ACTIONSTREAM_ADMIN_PASSWORD"], "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        await psycopg.AsyncConnection.connect(wrong)


async def test_postgres_is_one_that_knows_unicode(at: dict[str, str]) -> None:
    """The database is UTF-8 and its lower-casing goes beyond ASCII."""
    url = at["ACTIONSTREAM_ADMIN_DATABASE_URL"].replace("+psycopg", "")
    async with await psycopg.AsyncConnection.connect(url) as connection:
        answer = await connection.execute("SELECT lower('STRAẞE É'), getdatabaseencoding()")
        assert await answer.fetchone() == ("straße é", "UTF8")


async def test_opensearch_answers_a_hybrid_query(search: httpx2.AsyncClient) -> None:
    """Words and vectors are searched in one query that is filtered and normalised."""
    name = f"local-test-{uuid.uuid4().hex}"
    vector = {
        "type": "knn_vector",
        "dimension": 2,
        "method": {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"},
    }
    fields = {"tenant": {"type": "keyword"}, "text": {"type": "text"}, "vector": vector}
    settings = {"index": {"knn": True, "number_of_shards": 2, "number_of_replicas": 0}}
    body = {"settings": settings, "mappings": {"properties": fields}}
    assert (await search.put(f"/{name}", json=body)).status_code == httpx2.codes.OK
    documents = {
        "words": {"tenant": "a", "text": "an invoice", "vector": [0.0, 1.0]},
        "meaning": {"tenant": "a", "text": "a bill", "vector": [1.0, 0.0]},
        "other": {"tenant": "b", "text": "an invoice", "vector": [1.0, 0.0]},
    }
    for key, document in documents.items():
        await search.put(f"/{name}/_doc/{key}?refresh=true", json=document)
    clauses = [
        {"match": {"text": "invoice"}},
        {"knn": {"vector": {"vector": [1.0, 0.1], "k": 10}}},
    ]
    pipeline: dict[str, object] = {"phase_results_processors": [{"normalization-processor": {}}]}
    query = {
        "query": {"hybrid": {"queries": clauses, "filter": {"term": {"tenant": "a"}}}},
        "search_pipeline": pipeline,
    }
    answer = (await search.post(f"/{name}/_search", json=query)).json()
    await search.delete(f"/{name}")
    assert {hit["_id"] for hit in answer["hits"]["hits"]} == {"words", "meaning"}


async def test_opensearch_has_its_plugins_and_listens_here_only(search: httpx2.AsyncClient) -> None:
    """The node has k-NN and neural search and is bound to loopback."""
    [node] = (await search.get("/_nodes/_local/plugins,http")).json()["nodes"].values()
    assert {one["name"] for one in node["plugins"]} >= {
        "opensearch-knn",
        "opensearch-neural-search",
    }
    assert all(address.startswith("127.0.0.1") for address in node["http"]["bound_address"])


async def test_s3_reads_back_a_range_with_type_and_metadata(
    at: dict[str, str], bucket: str
) -> None:
    """An object keeps its type and metadata, and a part of it can be read."""
    async with s3(at) as client:
        await client.put_object(
            Bucket=bucket,
            Key="a/b",
            Body=b"0123456789",
            ContentType="application/pdf",
            Metadata={"sha256": "x"},
        )
        got = await client.get_object(Bucket=bucket, Key="a/b", Range="bytes=2-4")
        content = await got["Body"].read()
    assert (content, got["ContentType"], got["Metadata"]) == (
        b"234",
        "application/pdf",
        {"sha256": "x"},
    )


async def test_s3_puts_parts_together(at: dict[str, str], bucket: str) -> None:
    """An upload in three parts is one object of their length."""
    async with s3(at) as client:
        key = {"Bucket": bucket, "Key": "big"}
        upload = (await client.create_multipart_upload(**key))["UploadId"]
        parts = await asyncio.gather(
            *(
                client.upload_part(
                    **key, UploadId=upload, PartNumber=number, Body=bytes([number]) * PART
                )
                for number in (1, 2, 3)
            )
        )
        listed = [{"PartNumber": n, "ETag": one["ETag"]} for n, one in enumerate(parts, 1)]
        await client.complete_multipart_upload(
            **key, UploadId=upload, MultipartUpload={"Parts": listed}
        )
        size = (await client.head_object(**key))["ContentLength"]
    assert size == 3 * PART


async def test_s3_lists_deletes_and_does_not_overwrite(at: dict[str, str], bucket: str) -> None:
    """Keys are listed by prefix, written once when asked so, and deleted together."""
    async with s3(at) as client:
        for key in ("p/1", "p/2", "q/1"):
            await client.put_object(Bucket=bucket, Key=key, Body=b"x")
        with pytest.raises(ClientError) as refused:
            await client.put_object(Bucket=bucket, Key="p/1", Body=b"y", IfNoneMatch="*")
        listed = await client.list_objects_v2(Bucket=bucket, Prefix="p/")
        keys = [{"Key": one["Key"]} for one in listed["Contents"]]
        await client.delete_objects(Bucket=bucket, Delete={"Objects": keys})
        left = await client.list_objects_v2(Bucket=bucket)
    assert refused.value.response["Error"]["Code"] == "PreconditionFailed"
    assert [one["Key"] for one in keys] == ["p/1", "p/2"]
    assert [one["Key"] for one in left["Contents"]] == ["q/1"]


async def test_s3_wants_the_secret(at: dict[str, str], bucket: str) -> None:
    """A caller with a wrong secret is refused."""
    async with s3(at, secret="wrong") as client:
        with pytest.raises(ClientError) as refused:
            await client.list_objects_v2(Bucket=bucket)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


async def test_an_ollama_is_found_where_one_answers(at: dict[str, str]) -> None:
    """The model server is found with its models, as an Ollama would be; other servers are not."""
    found = await ollama.look(at["ACTIONSTREAM_OLLAMA_URL"])
    assert found is not None
    assert all(name.startswith("local-") for name in found.models)
    assert await ollama.look(at["ACTIONSTREAM_OPENSEARCH_URL"]) is None


async def test_data_of_other_secrets_is_said_at_once(at: dict[str, str]) -> None:
    """Waiting would not mend it: the person at the keyboard has to decide."""
    url = make_url(at["ACTIONSTREAM_ADMIN_DATABASE_URL"]).set(
        drivername="postgresql", password="another"
    )
    with pytest.raises(Obstacle, match="make reset"):
        await readiness.postgres_answers(url.render_as_string(hide_password=False))


async def test_readiness_of_nobody(at: dict[str, str]) -> None:
    """Where nothing listens nothing is ready, and asking raises nothing."""
    nobody = f"{ports.HOST}:{ports.free().kafka}"
    assert not await readiness.http_ok(f"http://{nobody}/")
    assert not await readiness.kafka_has_a_leader(nobody)
    assert not await readiness.postgres_answers(f"postgresql://a:b@{nobody}/c")
    assert await readiness.kafka_has_a_leader(at["ACTIONSTREAM_KAFKA_BOOTSTRAP"])
