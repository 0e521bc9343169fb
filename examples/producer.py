"""Publish a document to Kafka and print the answer, without any of the product's own code."""

import argparse
import base64
import json
import sys
import time
import uuid
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("source", help="a file of at most 190 KB, an https link, or s3:<key>")
parser.add_argument("--bootstrap", default="127.0.0.1:19092", help="brokers as host:port")
parser.add_argument("--gpt-id", default="demo", help="the tenant")
parser.add_argument("--prefix", default="", help="what topic names begin with")
parser.add_argument("--timeout", type=float, default=120, help="seconds to wait for the answer")
args = parser.parse_args()

if args.source.startswith("https://"):
    source = {"kind": "link", "url": args.source}
elif args.source.startswith("s3:"):
    source = {"kind": "s3", "key": args.source.removeprefix("s3:")}
else:
    content = base64.b64encode(Path(args.source).read_bytes()).decode()
    source = {"kind": "inline", "content_base64": content}

# All partitions of the answers are read, from their ends as they are before the record is sent.
results = f"{args.prefix}results"
group = f"unused-{uuid.uuid4()}"  # Nothing is committed: the client only wants to have a name.
consumer = Consumer({"bootstrap.servers": args.bootstrap, "group.id": group})
numbers = consumer.list_topics(results, timeout=10).topics[results].partitions
partitions = [TopicPartition(results, number) for number in numbers]
for partition in partitions:
    partition.offset = consumer.get_watermark_offsets(partition, timeout=10)[1]
consumer.assign(partitions)

request_id = str(uuid.uuid4())
value = {"source": source, "filename": args.source.rsplit("/", 1)[-1]}
headers = {"request-id": request_id, "gpt-id": args.gpt_id, "schema": "process-document.v1"}
producer = Producer({"bootstrap.servers": args.bootstrap, "partitioner": "murmur2_random"})
producer.produce(f"{args.prefix}process-document", json.dumps(value), headers=headers)
if producer.flush(10):
    sys.exit("Kafka did not take the record")

deadline = time.monotonic() + args.timeout
while time.monotonic() < deadline:
    record = consumer.poll(1)
    said = dict(record.headers() or ()) if record and not record.error() else {}
    # The request's own UUID comes back as correlation id.
    if said.get("correlation-id") == request_id.encode():
        answer = json.loads(record.value())
        print(json.dumps(answer, indent=2, ensure_ascii=False))
        sys.exit(0 if answer["status"] == "completed" else 1)
sys.exit(f"no answer within {args.timeout:.0f} s; is a worker running?")
