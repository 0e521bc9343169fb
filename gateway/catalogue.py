"""Every kind of problem that a client can meet, what it means and what to do about it.

Keys are the last part of the problem's type: `/problems/{name}`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.public import link

_HTTP: Final = {
    "unauthorised": "No API key was sent, or it is not valid. Send Authorization: Bearer <key>.",
    "forbidden": "The key's scopes do not cover this. Use another key, or ask for the scope.",
    "gpt-disabled": "The key's GPT is disabled. Its operator can enable it; nothing is lost.",
    "not-found": "There is nothing there that this key may see. Check the id.",
    "deleted": "The document was there and has been deleted. Its id is never used again.",
    "not-ready": "The id is valid, but the work has not got that far. Ask again after Retry-After.",
    "rate-limited": "Too many calls. Wait for Retry-After (retry_after_s), then repeat the call.",
    "method-not-allowed": "The path exists, but not with this method. Allow names those it has.",
    "too-large": "The body or the file is above the limit. Send less at once.",
    "changes-expired": "Too long ago, or another collection. Read all of it again: since=0.",
    "events-expired": "Events after that are no longer kept. Begin again with since=0.",
    "upgrade-required": "The path speaks WebSocket only. Connect to it with a WebSocket client.",
    "stream-limit": "The key has as many open streams as it may have. Close one.",
    "too-many-streams": "As many streams as are allowed are open. Try again after Retry-After.",
    "body-too-large": "An object's body is above the limit. Keep less in one object.",
    "not-acceptable": "The header Accept leaves no JSON. Send application/json, or leave it out.",
    "unsupported-media-type": "The body is neither JSON nor what the call takes.",
    "range-not-satisfiable": "The range begins behind the end of the file.",
    "malformed": "The input cannot be read at all: not JSON, not multipart, or a foreign cursor.",
    "invalid-input": "The input can be read, but a value is wrong; errors names each.",
    "query-too-slow": "No index serves the filter. Declare one for the paths that detail names.",
    "empty-file": "The file has no bytes. Send one that has.",
    "empty-choice": "Nothing was chosen. Name dead letters by ids, or give a condition.",
    "idempotency-key-reused": "The key was used with another body. Use a new key for a new body.",
    "unavailable": "A server behind the gateway does not answer. Try again after Retry-After.",
    "queue-full": "Too many requests wait for the brokers. Nothing was taken; try again.",
    "overloaded": "So much waits that new work would take too long. Try again after Retry-After.",
    "busy": "Too many uploads come in at once. Nothing was taken; try again after Retry-After.",
    "maybe-accepted": "It is unknown whether the request arrived. Repeat it with idempotency_key.",
    "internal-error": "A fault of the server. It has been logged with the id in X-Correlation-ID.",
    "error": "The request was refused. The status says why.",
}
_WORK: Final = {
    "unknown-type": "There is no document type of that name. GET /v1/document-types lists them.",
    "unknown-field": "The document's type has no such field.",
    "invalid-document-type": "The definition cannot be used. The detail names each wrong key.",
    "not-parsed": "The document has no text yet. Try again later.",
    "bad-url": "The link cannot be used. Send a complete https link.",
    "bad-scheme": "Only https links are fetched.",
    "bad-port": "The link names a port that is not fetched from.",
    "bad-status": "The link's server did not answer with the file.",
    "bad-certificate": "The link's server has no valid certificate.",
    "private-address": "The link leads to a private, loopback or link-local address.",
    "too-many-redirects": "The link leads on and on. Send the final one.",
    "not-allowed": "This is not allowed with what was sent. The detail says why.",
    "nul-character": "A text has a NUL character, which nothing can store. Leave it out.",
    "bad-value": "The record's value is not what its topic carries.",
    "invalid-record": "The record's value or headers are not what its topic carries.",
    "unknown-schema": "The record's schema or version is not known. Publish a version that is.",
    "foreign-key": "The S3 key is outside the tenant's prefix.",
    "foreign-object": "The record names an object that is not this tenant's.",
    "unknown-tenant": "There is no such tenant.",
    "disabled-tenant": "The tenant is disabled.",
    "no-such-object": "The bytes that the record names are not in the object store.",
    "no-such-run": "The run that the record names does not exist.",
    "nested-too-deep": "Attachments within attachments go too deep.",
    "too-slow": "The write takes longer than any may. Send less at once.",
    "poison": "Work on it ended the worker's process, even alone. The workers' logs say how.",
}
_TENANTS: Final = {
    "gpt-exists": "The id was given before, perhaps to a GPT that was deleted. Choose another one.",
    "gpt-deleted": "The GPT was deleted, and nothing of it is taken any more.",
    "not-deleted": "The record says that a GPT was deleted, and it was not. Nothing was removed.",
    "admin-protected": "The GPT admin can be neither disabled nor deleted.",
    "last-admin-key": "It is the last key that administers. Make another one first, or rotate it.",
    "too-many-keys": "The GPT has as many live keys as it may have. Revoke one.",
    "invalid-scope": "The scope admin is for keys of the GPT admin, and they have no other one.",
    "key-exists": "A key of this id exists. Make one with another id.",
    "key-revoked": "The key was revoked. Make a new one.",
    "key-replaced": "The key was rotated before. Rotate the one that the detail names.",
}
_OBJECTS: Final = {
    "version-conflict": "It has changed meanwhile. Read it again and repeat the change.",
    "already-exists": "It was to be created, and is there. Read it, or leave the condition out.",
    "key-taken": "Another object of the collection has this key. PUT by the key replaces it.",
    "invalid-target": "The operation must name an object by its id or by its key, not by both.",
    "invalid-body": "A value in the body cannot be stored as it is. The errors name its place.",
    "schema-mismatch": "The body does not fit the collection's schema. The errors say where.",
    "invalid-schema": "The JSON Schema is none, or uses what is not taken. The detail says what.",
    "invalid-definition": "What is declared of the collection cannot be so. The errors say where.",
    "schema-breaks-stored": "Objects that are stored do not fit the schema. The detail names them.",
    "too-large-to-check": "The collection holds too much for that check. The detail names a way.",
    "too-complex": "Checking this takes too long. Send smaller bodies or fewer operations at once.",
    "quota-exceeded": "The collection or the GPT is full. The detail has the figure and the limit.",
    "too-many-collections": "The GPT has as many collections as it may have. Delete one.",
    "invalid-patch": "The patch cannot be done on this body. The errors name the operation.",
    "patch-test-failed": "A test operation of the JSON Patch failed, so nothing was changed.",
}
_INTAKE: Final = {
    "bad-base64": "The inline bytes are not base64.",
    "bad-document-id": "The document's id was not handed out to this tenant. Leave it out.",
    "bad-encoding": "The link's server insists on compressing the file. Upload it instead.",
    "credentials-in-url": "Links with a user name or password are not fetched.",
    "link-trouble": "The link's server did not answer in time. Process the document again later.",
    "no-such-host": "The link's host does not exist. Correct the link.",
    "not-stored": "The document's bytes were never stored. Send it anew.",
    "not-classified": "No run of the document has found its type. Begin with an earlier stage.",
    "not-extracted": "No run of the document has found its fields. Begin with an earlier stage.",
    "type-too-late": "A type is of no use to a run that begins with index. Begin with extract.",
    "models-trouble": "The model server did not answer for this document. Process it again later.",
    "parser-trouble": "The parser failed on this document. Process it again, or send another copy.",
    "encrypted": "The file needs a password. Upload it without one.",
    "corrupt": "The file is damaged or cut off. Upload an undamaged copy.",
    "zero-pages": "The file has no pages.",
    "too-many-pages": "The file has more pages than are read. Split it.",
    "unsupported-type": "The file is of no type that is read.",
    "image-too-large": "The image has more pixels than are read. Scale it down.",
    "image-too-small": "The image has too few pixels to hold text.",
    "archive-bomb": "The file unpacks to far more than it should. Save it anew.",
    "unsupported-compression": "The file is packed in a way that is not read. Use Deflate.",
    "text-too-long": "The file has more text than is read. Split it.",
    "too-many-attachments": "The mail has more attachments than are read.",
    "too-many-webhooks": "The GPT has as many webhooks as it may have. Delete one.",
    "no-ocr": "The file has no text, and no OCR is installed here.",
}
_BATCHES: Final = {
    "batch-closed": "The batch takes no more documents. Make another one.",
    "batch-cancelled": "The batch was cancelled. Make another one.",
    "not-cancelled": "The record says that a batch was cancelled, and it was not.",
    "too-many-documents": "The batch would have more documents than one may have. Make another.",
    "path-outside": "The file's path leads out of its archive. Pack it with a plain path.",
    "path-too-long": "The file's path within its archive is longer than is kept. Shorten it.",
    "not-a-file": "It is a link to another file of the archive. Pack the file itself.",
    "nested-archive": "It is an archive within the archive. Unpack it, or send it on its own.",
    "too-many-files": "The archive holds more files than are taken at once. Send it in parts.",
    "invalid-manifest": "A line of the manifest, or all of it, cannot be used. detail says why.",
    "manifest-without-file": "The manifest names a file that is not there. Add it, or correct it.",
}
_REVIEWS: Final = {
    "not-in-review": "Somebody has decided on it, or it needs no review. Look at the document.",
    "superseded": "The document was processed again since it was read. Read the review again.",
    "contradictory-decision": "Give fields or type with the decision correct, and with no other.",
}
KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {**_HTTP, **_WORK, **_TENANTS, **_OBJECTS, **_INTAKE, **_BATCHES, **_REVIEWS}
)
"""What each kind of problem means and what to do, in a sentence or two."""


def type_uri(code: str) -> str:
    """Returns: the URI of a kind of problem, which is also the link to its page."""
    return link(f"/problems/{code.replace('_', '-')}")


def sentence(detail: str) -> str:
    """Returns: the detail as a sentence: a capital at its beginning, a full stop at its end."""
    return detail[:1].upper() + detail[1:] + ("" if detail.endswith(".") else ".")
