"""A server on a real socket that answers as OpenAI and Anthropic do, or misbehaves as it is told.

It runs in a thread of the test. `plan` says how the next chat requests are answered, one entry each; when it is used up
they are answered well. What was asked is in `asked`, what was answered to the last byte in `answered`.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, Literal

from fake_batches import FakeBatches

Json = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """How to answer. drop: close the connection; half: close it inside the body; drip: a byte every `delay` seconds."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None  # None: a chat completion
    delay: float = 0.0
    way: Literal["whole", "drop", "half", "drip"] = "whole"


def error(status: int, message: str = "told to fail", code: str = "told", **headers: str) -> Reply:
    body = json.dumps({"error": {"message": message, "type": "told", "code": code}}).encode()
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> Json:
        return json.loads(self.content)


class FakeServer:
    """`with FakeServer() as server: ... server.url`. `delay` is the time that each chat answer takes."""

    def __init__(self, plan: Iterable[Reply] = (), *, delay: float = 0.0) -> None:
        self.plan = deque(plan)
        self.delay = delay
        self.asked: list[Asked] = []
        self.answered: Counter[str] = Counter()  # bodies of chat requests
        self.tokens = 0  # of what was answered
        self.busy = self.most_busy = self.connections = 0
        self.finish_reason = "stop"
        self.text: str | None = ""  # "": made from the request
        self.usage = True
        self.batches = FakeBatches(self)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> FakeServer:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop
        ).result()
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        async def stop() -> None:
            self._server.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def chats(self) -> list[Asked]:
        return [one for one in self.asked if one.path in ("/v1/chat/completions", "/v1/messages")]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while (asked := await read_request(reader)) is not None:
                self.asked.append(asked)
                if not await self._answer(asked, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the client is gone
        finally:
            writer.close()

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; say whether the connection stays open."""
        path = asked.path.split("?")[0]
        if path.startswith(("/v1/files", "/v1/batches")):
            return await send(writer, self.batches.reply(asked))
        if path not in ("/v1/chat/completions", "/v1/messages"):
            return await send(writer, error(404, f"no such path {path}"))
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        try:
            reply = self.plan.popleft() if self.plan else Reply()
            await asyncio.sleep(reply.delay if reply.delay and reply.way != "drip" else self.delay)
            good = reply.body is None and reply.status == 200
            chat = self.chat(asked.body) if good else {}
            content = json.dumps(chat).encode() if good else reply.body or b""
            stays = await send(writer, Reply(reply.status, reply.headers, content, reply.delay, reply.way))
            if good and reply.way == "whole":
                self.answered[json.dumps(asked.body, sort_keys=True)] += 1
                self.tokens += self.used(asked.body)
            return stays
        finally:
            self.busy -= 1

    def used(self, body: Json) -> int:
        return len(body["messages"][0]["content"].split()) + 5

    def chat(self, body: Json) -> Json:
        """Return the chat completion for a request: the prompt and the seed, so that each sample has its own text."""
        prompt = body["messages"][0]["content"]
        text = self.text if self.text != "" else f"{prompt} / {body.get('seed')}"
        given = len(prompt.split())
        if "max_completion_tokens" not in body and "anthropic" in str(body["model"]):
            content = [] if text is None else [{"type": "text", "text": text}]
            usage = {"input_tokens": given, "output_tokens": 5, "cache_read_input_tokens": 0}
            return {"type": "message", "content": content, "stop_reason": self.finish_reason, "usage": usage}
        choice = {"index": 0, "finish_reason": self.finish_reason, "message": {"role": "assistant", "content": text}}
        usage = {"prompt_tokens": given, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": given // 2}}
        return {"object": "chat.completion", "choices": [choice], **({"usage": usage} if self.usage else {})}


async def read_request(reader: asyncio.StreamReader) -> Asked | None:
    """Return the next request of a connection, None at its end."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        content = b""
        while (size := int((await reader.readline()).strip(), 16)) > 0:
            content += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    else:
        content = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(method, path, headers, content)


async def send(writer: asyncio.StreamWriter, reply: Reply) -> bool:
    """Send a reply in its way; say whether the connection stays open."""
    if reply.way == "drop":
        return False
    body = reply.body or b""
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **reply.headers}
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}", *(f"{k}: {v}" for k, v in headers.items())]
    head = ("\r\n".join(lines) + "\r\n\r\n").encode()
    if reply.way == "drip":
        writer.write(head)
        for byte in body:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(reply.delay)
        return True
    writer.write(head + (body[: len(body) // 2] if reply.way == "half" else body))
    await writer.drain()
    return reply.way != "half"
