"""Keys that a tenant may name: two dots within a name lead nowhere, a folder of them leads out."""

import pytest

from schemas.envelope import Envelope
from schemas.topics import PROCESS_DOCUMENT
from streams.errors import InvalidMessage, Refused
from streams.expanding import keys
from streams.stage import StepKey, Work
from streams.stages.receive import _own

ENVELOPE = Envelope(request_id="req_1", gpt_id="acme", schema_name=PROCESS_DOCUMENT.schema_name)
WORK = Work(StepKey("acme", "run_1", "receive", 0), ENVELOPE, PROCESS_DOCUMENT.name, "doc_1")


@pytest.mark.parametrize("key", ["acme/scan..pdf", "acme/a..b/..c"])
def test_dots_within_a_name_are_taken(key: str) -> None:
    """Of single documents as of archives and prefixes."""
    keys.check(key, "acme")

    assert _own(key, WORK) == key


@pytest.mark.parametrize("key", ["acme/../other/a.pdf", "acme/..", "other/a.pdf"])
def test_what_leads_out_of_the_prefix_is_refused(key: str) -> None:
    """A folder of two dots, or another tenant's."""
    with pytest.raises(Refused) as of_many:
        keys.check(key, "acme")
    with pytest.raises(InvalidMessage) as of_one:
        _own(key, WORK)

    assert {of_many.value.code, of_one.value.code} == {"foreign_key"}
