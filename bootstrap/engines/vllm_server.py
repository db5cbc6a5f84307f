"""Sampling over HTTP with `vllm serve`: one that each stage starts with its model, or one that runs already.

Started here, it lives in the environment of `engine.python` while the stage needs nothing of vLLM's, keeps a copy of
the model on each of `engine.replicas` groups of GPUs, and is ended with the stage, so that the GPUs are free for
training. With `engine.base_url` a running server is asked, and the adapter of the iteration is loaded into it.

Answers are kept in the store as those of every server. Their keys hold a digest of the model's content, so that no
iteration gets another one's answers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bootstrap.config import EngineConfig, PromptConfig
from bootstrap.engines.base import Completion, Decoding, Request
from bootstrap.engines.openai_engine import CUT_OFF, usage_of
from bootstrap.engines.remote.calls import Answer, MalformedAnswerError
from bootstrap.engines.remote.engine import RemoteEngine
from bootstrap.engines.remote.own_server import OwnServer, Restarts, find_vllm, serve_words
from bootstrap.engines.remote.running_server import RunningServer
from bootstrap.engines.transformers_engine import check_model
from bootstrap.engines.vllm_engine import adapter_digest, base_and_adapter, check_rank
from bootstrap.errors import EngineError
from bootstrap.prompts import as_messages
from bootstrap.records import digest

READ_WHOLE = (".json", ".jinja", ".bin")  # kinds of files beside the safetensors
SAMPLED_BYTES = 1 << 16  # of each tensor: training moves all of a matrix


class VllmDialect:
    """Plain prompts go as they are, to be completed; with `chat` they are messages, under the model's template.

    top_k, min_p and repetition_penalty are said because a server takes them from the model's settings otherwise.
    """

    name = "vllm_server"
    url = ""
    key_variable = "VLLM_API_KEY"
    batch_path = ""
    takes_seed = True

    def __init__(self, chat: bool) -> None:
        self.chat = chat
        self.path = "/chat/completions" if chat else "/completions"

    def headers(self, api_key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {api_key}"} if api_key else {}

    def body(self, model: str, prompt: str, decoding: Decoding, config: EngineConfig) -> dict[str, Any]:
        asked = {"messages": as_messages(prompt)} if self.chat else {"prompt": prompt}
        return {
            "model": model, **asked, "temperature": decoding.temperature, "top_p": decoding.top_p, "top_k": 0,
            "min_p": 0.0, "repetition_penalty": 1.0, "max_tokens": decoding.max_new_tokens,
        }  # fmt: skip

    def answer(self, response: Mapping[str, Any]) -> Answer:
        choice = response["choices"][0]
        text, reason = choice["message"].get("content") if self.chat else choice["text"], choice["finish_reason"] or ""
        if not isinstance(text or "", str):
            raise MalformedAnswerError(f"the text is {type(text).__name__}")
        return Answer(text or "", reason not in CUT_OFF, reason, usage_of(response.get("usage")), response)


class VllmServerEngine:
    name = "vllm_server"

    def __init__(self, model: str, config: EngineConfig, prompt: PromptConfig) -> None:
        base, adapter = base_and_adapter(model)
        self.model_digest = content_digest(base, adapter)
        self._restarts: Restarts | None = None
        self._running: RunningServer | None = None
        dialect, served = VllmDialect(prompt.chat), f"bootstrap-{self.model_digest}"
        config = config.model_copy(update={"concurrency": config.batch_sequences})
        if config.base_url is None:
            check_model(base)
            self._start(base, served, adapter, config, dialect)
            return
        self._remote = RemoteEngine(served, config, dialect, self.model_digest)
        try:
            self._running = RunningServer(config.base_url, self._remote.server.headers)
            name = self._running.served_name(base)
            if adapter:
                self._running.load(adapter.absolute(), served, base)
            else:
                self._remote.model = name
        except BaseException:
            self.close()
            raise

    def _start(
        self, base: str, served: str, adapter: Path | None, config: EngineConfig, dialect: VllmDialect
    ) -> None:  # fmt: skip
        if adapter:
            check_rank(adapter, config)
        name = "base" if adapter else served
        words = serve_words(base, name, (served, adapter) if adapter else None, config)
        server = OwnServer(find_vllm(config.python), words, config.start_seconds)
        self._restarts = Restarts(server)
        here = config.model_copy(update={"base_url": server.url})
        self._remote = RemoteEngine(served, here, dialect, self.model_digest, server.ended)
        try:
            server.start()
        except BaseException:
            self.close()
            raise

    @property
    def busy_seconds(self) -> float:
        return self._remote.busy_seconds

    def generate(self, requests: Sequence[Request], decoding: Decoding) -> Iterator[Completion]:
        given: set[tuple[str, int]] = set()
        while True:
            try:
                for one in self._remote.generate(requests, decoding):
                    if (one.problem_id, one.sample_index) not in given:
                        given.add((one.problem_id, one.sample_index))
                        yield one
                return
            except EngineError as e:
                if self._restarts is None:
                    raise
                self._restarts.after(e)  # what was answered comes from the store the next time

    def close(self) -> None:
        if self._running:
            self._running.unload()
        self._remote.close()
        if self._restarts:
            self._restarts.server.stop()


def content_digest(base: str, adapter: Path | None) -> str:
    """Return a digest that no two iterations share: of the adapter and the base's name, or of the base's content."""
    if adapter is not None:
        return digest(content_digest(base, None), adapter_digest(adapter))
    folder = Path(base)
    if not folder.is_dir():
        return digest("hub", base)
    found = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix == ".safetensors":
            found.update(sampled(path))
        elif path.suffix in READ_WHOLE:
            with open(path, "rb") as file:
                found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()[:16]


def sampled(path: Path) -> bytes:
    """Return a digest of a file of weights from its header and the start of each tensor: a whole one has gigabytes."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(length)
        found.update(header)
        tensors = [one for name, one in json.loads(header).items() if name != "__metadata__"]
        for begin, end in sorted(one["data_offsets"] for one in tensors):
            file.seek(8 + length + begin)
            found.update(file.read(min(SAMPLED_BYTES, end - begin)))
    return found.digest()
