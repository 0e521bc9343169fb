"""The gateway as the commands call it: patience with a busy one, one sentence for what fails."""

import contextlib
import hashlib
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

import httpx2

from cli.errors import Failure
from cli.settings import AdministrationSettings, CommandLineSettings, gateway_settings, load
from cli.terminal import console
from cli.watched import Watched
from schemas.states import FINAL

_TOO_MANY: Final = 429
_BUSY: Final = frozenset({_TOO_MANY, 503})
_PROBLEM: Final = 400
_WAIT_S: Final = 30
_SHORTEST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0

Json = dict[str, Any]


class Refusal(Failure):
    """One call or file cannot be served, others may; `code` names the cause."""

    def __init__(self, sentence: str, *, status: int, code: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code


class Gateway:
    """A gateway, called with a key; to be used as a context.

    Args:
        settings: its address and key.
        patience_s: how long a call is repeated while the gateway says 429 or 503.
        transport: stands in for the network in tests.
        sleep: waits so many seconds; a test's own does not.
        tell: is told once that calls wait because of a rate limit; by default on stderr.
    """

    def __init__(
        self,
        settings: CommandLineSettings | AdministrationSettings,
        *,
        patience_s: float = 300,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], object] | None = None,
        tell: Callable[[str], object] = lambda said: print(said, file=sys.stderr, flush=True),
    ) -> None:
        self.url = settings.gateway_url.rstrip("/")
        self._patience_s = patience_s
        self._tell = tell
        self._told = False
        self._leaving = threading.Event()
        self.sleep = sleep or self._leaving.wait
        self._client = httpx2.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {settings.bearer.get_secret_value()}"},
            timeout=settings.call_timeout_s,
            transport=transport,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def stop(self) -> None:
        """End all waiting, because whoever asked has gone; calls on their way may still end."""
        self._leaving.set()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Json | None = None,
        key: str | None = None,
    ) -> Json:
        """Returns: the JSON answer of a call; one that changes something is safe to repeat.

        Raises:
            Refusal: the gateway answered with a problem.
            Failure: it does not answer.
        """
        if method != "GET":
            key = key or uuid.uuid4().hex
        headers = {"Idempotency-Key": key} if key else {}
        return self._patiently(
            lambda: self._client.request(method, path, params=query, json=body, headers=headers)
        )

    def followed(self, state: Json) -> Json:
        """Returns: a request's final state, asked for until it is there; the wait is announced.

        Raises:
            Failure: the gateway does not answer.
        """
        if state["status"] not in FINAL:
            note = f"this takes a while, and goes on if you leave: {state['status_url']}"
            console(stderr=True).print(note, style="dim", soft_wrap=True)
        while state["status"] not in FINAL:
            state = self.state(state["status_url"], wait_s=_WAIT_S)
        return state

    def state(self, status_url: str, *, wait_s: int = 0) -> Json:
        """Returns: the state of a request, waited for so long; raises as `call`."""
        # Answers name the address that clients outside use, perhaps with a path before /v1; the
        # key goes to no other address than the one it is for.
        path = f"/v1/{status_url.rpartition('/v1/')[2]}"
        return self.call("GET", path, query={"wait_s": wait_s})

    def health(self) -> Json:
        """Returns: what `/health` answers, be it well or not.

        Raises:
            Failure: it does not answer, or not with JSON.
        """
        answer: Json = self._answer(lambda: self._client.get("/health")).json()
        return answer

    def upload(
        self,
        path: Path,
        fields: Mapping[str, str],
        *,
        query: Mapping[str, str] | None = None,
        key: str | None = None,
        name: str | None = None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Json:
        """Send one file; returns: the state of its request.

        Args:
            path: the file.
            fields: form fields such as title, metadata (JSON text) and type.
            query: parameters of the call.
            key: idempotency key; a new one if absent, so that repeats are harmless either way.
            name: what the document's file is called; as the file if absent.
            progress: told how many bytes have been read so far.

        Raises:
            Refusal: the gateway does not take it, or the file cannot be read.
            Failure: the gateway does not answer.
        """
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}

        def send() -> httpx2.Response:
            with Watched(path, progress) as file:
                files = {"file": (name or path.name, file)}
                return self._client.post(
                    "/v1/documents", params=query, data=dict(fields), files=files, headers=headers
                )

        try:
            return self._patiently(send)
        except OSError as error:
            sentence = f"{path} cannot be read: {error.strerror}"
            raise Refusal(sentence, status=0, code="unreadable") from None

    def send_form(
        self, path: str, parts: Callable[[contextlib.ExitStack], list[Any]], *, key: str
    ) -> Json:
        """Send a form; returns: the answer.

        Args:
            path: where it goes.
            parts: makes the parts, anew for each try; what it opens there is closed again.
            key: idempotency key.

        Raises:
            Refusal: the gateway does not take it.
            Failure: the gateway does not answer.
        """

        def send() -> httpx2.Response:
            with contextlib.ExitStack() as stack:
                headers = {"Idempotency-Key": key}
                return self._client.post(path, files=parts(stack), headers=headers)

        return self._patiently(send)

    def download(self, path: str, target: Path | BinaryIO) -> str:
        """Write what a call answers with into a file, piece by piece.

        Returns: the SHA-256 of the bytes, hexadecimal.

        Raises:
            Refusal: the gateway answered with a problem; the file is not touched.
            Failure: it does not answer, or not to the end.
        """
        digest = hashlib.sha256()

        def fetch() -> httpx2.Response:
            with self._client.stream("GET", path) as response:
                if response.status_code >= _PROBLEM:
                    response.read()
                    return response
                with _opened(target) as file:
                    for piece in response.iter_bytes():
                        digest.update(piece)
                        file.write(piece)
            return response

        response = self._patient(fetch)
        if response.status_code >= _PROBLEM:
            _checked(response)
        return digest.hexdigest()

    def _patiently(self, send: Callable[[], httpx2.Response]) -> Json:
        return _checked(self._patient(send))

    def _patient(self, send: Callable[[], httpx2.Response]) -> httpx2.Response:
        end = time.monotonic() + self._patience_s
        while True:
            response = self._answer(send)
            pause = _pause(response)
            patient = time.monotonic() + pause < end and not self._leaving.is_set()
            if response.status_code not in _BUSY or not patient:
                return response
            if response.status_code == _TOO_MANY and not self._told:
                self._told = True
                self._tell(f"The gateway limits calls; waiting {pause:.0f} s, later without a word")
            self.sleep(pause)

    def _answer(self, send: Callable[[], httpx2.Response]) -> httpx2.Response:
        try:
            return send()
        except httpx2.ConnectError:
            raise Failure(
                f"The gateway does not answer at {self.url}; start it with `make run`, or set "
                "ACTIONSTREAM_GATEWAY_URL"
            ) from None
        except httpx2.TimeoutException:
            raise Failure(
                f"The gateway at {self.url} did not answer in time; see `actionstream doctor`"
            ) from None
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            raise Failure(f"The call to the gateway at {self.url} failed: {error}") from None


def connect() -> Gateway:
    """Returns: the gateway that the settings name. Raises: Failure: they are incomplete."""
    return Gateway(gateway_settings())


def administer() -> Gateway:
    """Returns: the gateway, called to administer. Raises: Failure: the settings are incomplete."""
    return Gateway(load(AdministrationSettings))


def _opened(target: Path | BinaryIO) -> contextlib.AbstractContextManager[BinaryIO]:
    return target.open("wb") if isinstance(target, Path) else contextlib.nullcontext(target)


def _pause(response: httpx2.Response) -> float:
    try:
        wanted = float(response.headers.get("Retry-After", ""))
    except ValueError:
        wanted = _SHORTEST_PAUSE_S
    # What a rate limit says is exact, and asking earlier is of no use.
    longest = wanted if response.status_code == _TOO_MANY else _LONGEST_PAUSE_S
    return max(min(wanted, longest), _SHORTEST_PAUSE_S)


def _checked(response: httpx2.Response) -> Json:
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Failure(
            f"{response.url} answered {response.status_code} without JSON; is it the gateway?"
        )
    if response.status_code < _PROBLEM:
        return answer
    detail = str(answer.get("detail") or answer.get("title") or response.reason_phrase)
    code = str(answer.get("code") or "error")
    raise Refusal(f"{detail} ({code})", status=response.status_code, code=code)
