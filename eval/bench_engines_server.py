"""A null server for eval/bench_engines.py: it answers every request at once with the same chat completion.

Prints its port and serves until its standard input ends.

    python -m eval.bench_engines_server
"""

from __future__ import annotations

import asyncio
import json
import sys

COMPLETION = {
    "id": "null", "object": "chat.completion", "created": 1, "model": "null",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "SELECT 1"}}],
    "usage": {"prompt_tokens": 400, "completion_tokens": 3, "total_tokens": 403},
}  # fmt: skip
BODY = json.dumps(COMPLETION).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
END_OF_HEADERS = b"\r\n\r\n"


class NullServer(asyncio.Protocol):
    """One connection; requests are told apart by their length alone."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.received = transport, b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (size := request_size(self.received)) is not None and len(self.received) >= size:
            self.received = self.received[size:]
            self.transport.write(ANSWER)


def request_size(received: bytes) -> int | None:
    """Return the bytes of the first request, None where its headers are not whole yet."""
    end = received.find(END_OF_HEADERS)
    if end < 0:
        return None
    head = received[:end].lower()
    _, found, rest = head.partition(b"content-length:")
    return end + len(END_OF_HEADERS) + (int(rest.split(b"\r\n")[0]) if found else 0)


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(NullServer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
