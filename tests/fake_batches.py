"""The part of the fake server that is the batch service: files, batches, and rows that fail as they are told."""

from __future__ import annotations

import json
from collections import Counter, deque
from email import message_from_bytes
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from fake_server import Asked, FakeServer, Reply

Json = dict[str, Any]


class FakeBatches:
    """`endings`: how the next batches end (completed when used up); expired and cancelled ones answer half their rows.

    `row_errors`: statuses of the next answers to a row, by position in the batch. `looks`: how often a batch is looked
    at before it has ended. `unheard`: so many batches are made whose maker hears nothing.
    """

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.files: dict[str, bytes] = {}
        self.made: dict[str, Json] = {}
        self.endings: deque[str] = deque()
        self.row_errors: dict[int, deque[int]] = {}
        self.looks = 2
        self.unheard = 0
        self.answered: Counter[str] = Counter()  # custom ids
        self.page = 100

    def reply(self, asked: Asked) -> Reply:
        from fake_server import Reply, error

        url = urlsplit(asked.path)
        parts = url.path.removeprefix("/v1/").split("/")
        match asked.method, parts:
            case "POST", ["files"]:
                return _json({"id": self._file(uploaded(asked)), "object": "file"})
            case "POST", ["batches"]:
                batch = self._make(asked.body)
                if self.unheard:
                    self.unheard -= 1
                    return Reply(way="drop")
                return _json(batch)
            case "GET", ["batches"]:
                return _json(self._list(parse_qs(url.query)))
            case "GET", ["batches", name] if name in self.made:
                return _json(self._look(name))
            case "GET", ["files", name, "content"] if name in self.files:
                return Reply(body=self.files[name])
        return error(404, f"no {asked.method} {url.path}")

    def _file(self, content: bytes) -> str:
        name = f"file-{len(self.files)}"
        self.files[name] = content
        return name

    def _make(self, body: Json) -> Json:
        name = f"batch-{len(self.made)}"
        assert body["endpoint"] == "/v1/chat/completions" and body["input_file_id"] in self.files
        self.made[name] = {
            "id": name, "status": "validating", "metadata": body["metadata"], "input_file_id": body["input_file_id"],
            "looks": self.looks, "ending": self.endings.popleft() if self.endings else "completed",
        }  # fmt: skip
        return self.made[name]

    def _list(self, query: dict[str, list[str]]) -> Json:
        names = list(reversed(self.made))
        if "after" in query:
            names = names[names.index(query["after"][0]) + 1 :]
        size = min(self.page, int(query["limit"][0]))
        return {"data": [self.made[name] for name in names[:size]], "has_more": len(names) > size}

    def _look(self, name: str) -> Json:
        batch = self.made[name]
        batch["looks"] -= 1
        if batch["looks"] > 0:
            batch["status"] = "in_progress"
        elif batch["status"] != batch["ending"]:
            batch["status"] = batch["ending"]
            self._end(batch)
        return batch

    def _end(self, batch: Json) -> None:
        if batch["ending"] == "failed":
            batch["errors"] = {"data": [{"message": "the file has too many tokens"}]}
            return
        lines = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
        count = len(lines) if batch["ending"] == "completed" else len(lines) // 2
        good, bad = [], []
        for position, line in enumerate(lines[:count]):
            failures = self.row_errors.get(position)
            status = failures.popleft() if failures else 200
            body = self.server.chat(line["body"]) if status == 200 else {"error": {"message": f"row told {status}"}}
            row = {"custom_id": line["custom_id"], "response": {"status_code": status, "body": body}, "error": None}
            (good if status == 200 else bad).append(row)
            self.answered[line["custom_id"]] += status == 200
        if batch["ending"] == "expired":
            reason = {"code": "batch_expired", "message": "could not be executed in time"}
            bad += [{"custom_id": line["custom_id"], "response": None, "error": reason} for line in lines[count:]]
        for name, rows in (("output_file_id", good), ("error_file_id", bad)):
            if rows:  # in no order
                batch[name] = self._file("".join(json.dumps(row) + "\n" for row in reversed(rows)).encode())


def uploaded(asked: Asked) -> bytes:
    """Return the file of a multipart form that says what it is for."""
    message = message_from_bytes(b"Content-Type: " + asked.headers["content-type"].encode() + b"\n\n" + asked.content)
    fields = {part.get_param("name", header="content-disposition"): part for part in message.get_payload()}
    assert fields["purpose"].get_payload() == "batch"
    content = fields["file"].get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


def _json(row: Json) -> Reply:
    from fake_server import Reply

    return Reply(body=json.dumps(row).encode())
