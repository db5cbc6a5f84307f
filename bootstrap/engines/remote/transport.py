"""One server over HTTP: a request with a time-out of its own, and what each way to fail means.

httpx2 is the client that huggingface_hub brings along. The openai package sits on the same client and does no more for
us here: its own retries would have to be off, and it takes several times the CPU per request (eval/bench_engines.py).
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from bootstrap.config import EngineConfig
from bootstrap.engines.remote.calls import Dialect
from bootstrap.engines.remote.retries import TemporaryError, retry_after
from bootstrap.errors import EngineError, UserError

if TYPE_CHECKING:
    import httpx2

Files = Mapping[str, tuple[str, bytes, str]]

CONNECTIONS = 32  # of one client

HERE = ("127.0.0.1", "localhost", "::1")
"""Hosts that no proxy of the environment is asked for."""

NO_CREDIT = ("insufficient_quota", "billing_hard_limit_reached")
"""Codes with which a 429 means that the account is empty, so that waiting is of no use."""


class Server:
    """A server's address, key and connections. Lives in one event loop."""

    def __init__(
        self, dialect: Dialect, config: EngineConfig, ended: Callable[[], str | None] = lambda: None
    ) -> None:  # fmt: skip
        self.ended = ended
        self.url = (config.base_url or dialect.url).rstrip("/")
        self.name = f"{dialect.name} at {self.url}"
        self.variable = config.api_key_env or dialect.key_variable
        self.timeout = config.timeout_seconds
        self.connections = config.concurrency
        key = os.environ.get(self.variable, "").strip()
        if not key and (config.base_url is None or config.api_key_env):
            raise UserError(
                f"engine.name is {dialect.name}: set the environment variable {self.variable} to the key for "
                f"{self.url}, or engine.api_key_env to the name of the variable that holds it"
            )
        self.has_key = bool(key)
        self.headers = {"Content-Type": "application/json", **dialect.headers(key)}
        self._clients: list[httpx2.AsyncClient] = []
        self._free: list[httpx2.AsyncClient] = []  # as often as each may take one more request

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        content = json.dumps(body).encode()
        return as_object(await self.send("POST", path, content=content), path)

    async def get(self, path: str) -> dict[str, Any]:
        return as_object(await self.send("GET", path), path)

    async def send(
        self, method: str, path: str, *, content: bytes | None = None, form: Mapping[str, str] | None = None,
        files: Files | None = None,
    ) -> bytes:  # fmt: skip
        """Return the body of the answer.

        Raises TemporaryError for what another attempt may mend, UserError or EngineError for what none will.
        """
        import httpx2

        headers = {k: v for k, v in self.headers.items() if not (files and k == "Content-Type")}
        try:
            async with asyncio.timeout(self.timeout):
                async with self._client() as client:
                    response = await client.request(
                        method, self.url + path, content=content, data=form, files=files, headers=headers
                    )
        except TimeoutError as e:
            raise TemporaryError(f"no answer within {self.timeout:g} s", refused=False) from e
        except httpx2.ConnectError as e:
            if how := self.ended():
                raise EngineError(how) from e
            raise TemporaryError(f"cannot connect: {e}", refused=True) from e
        except (httpx2.UnsupportedProtocol, httpx2.InvalidURL) as e:
            raise UserError(f"engine.base_url: {self.url} is no address of a server ({e}): http://HOST:PORT/v1") from e
        except (httpx2.TransportError, httpx2.DecodingError) as e:
            raise TemporaryError(f"the connection broke: {type(e).__name__} {e}".rstrip(), refused=False) from e
        if response.status_code >= 300:
            raise self._failure(response)
        return response.content

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[httpx2.AsyncClient]:
        """Lend a client with a free connection: their bookkeeping grows with the connections that one of them has."""
        if not self._clients:
            import httpx2

            trust, count = httpx2.create_ssl_context(), -(-self.connections // CONNECTIONS)
            limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
            proxies = httpx2.URL(self.url).host not in HERE
            self._clients = [
                httpx2.AsyncClient(timeout=None, limits=limits, verify=trust, trust_env=proxies) for _ in range(count)
            ]
            self._free = (self._clients * CONNECTIONS)[: self.connections]
        lent = self._free.pop() if self._free else None
        try:
            yield lent or self._clients[0]
        finally:
            if lent:
                self._free.append(lent)

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()

    def _failure(self, response: httpx2.Response) -> Exception:
        """Return what a status of 300 and above means."""
        status, (said, code) = response.status_code, said_by(response.content)
        if status in (408, 429) and code not in NO_CREDIT:
            return TemporaryError(f"status {status}: {said}", refused=True, retry_after=retry_after(response.headers))
        if status >= 500:
            return TemporaryError(f"status {status}: {said}", refused=True, retry_after=retry_after(response.headers))
        if status in (401, 403):
            held = (
                f"the key in {self.variable}" if self.has_key else f"a request without a key ({self.variable} is empty)"
            )
            return UserError(
                f"{self.name} refused {held} (status {status}: {said}): set {self.variable} to a key that may use this "
                "model, or engine.api_key_env to the name of the variable that holds one"
            )
        return EngineError(f"{self.name} refused the request (status {status}: {said}): {advice(status, code)}")


def advice(status: int, code: str) -> str:
    if code in NO_CREDIT:
        return "the account has no credit left: see to it, then start again; all answers so far are kept"
    if status == 404:
        return "check the model's name and engine.base_url, which goes up to /v1"
    return "leave out keys that the model refuses with engine.omit, or change the setting that it names"


def as_object(content: bytes, path: str) -> dict[str, Any]:
    """Return the JSON object in a body; anything else may be a proxy's page, and another attempt may do."""
    try:
        found = json.loads(content)
    except ValueError as e:
        raise TemporaryError(f"{path} answered no JSON: {content[:80]!r}", refused=False) from e
    if not isinstance(found, dict):
        raise TemporaryError(f"{path} answered no JSON object: {content[:80]!r}", refused=False)
    return found


def said_by(content: bytes) -> tuple[str, str]:
    """Return the message and the code of an error, as OpenAI, Anthropic and vLLM write it, or the start of the body."""
    try:
        found = json.loads(content)
    except ValueError:
        found = None
    error = found.get("error", found) if isinstance(found, dict) else None
    if isinstance(error, dict):
        message = error.get("message") or error.get("detail") or json.dumps(error)
        return str(message)[:400], str(error.get("code") or error.get("type") or "")
    return " ".join(content.decode("utf-8", "replace").split())[:200] or "no text", ""
