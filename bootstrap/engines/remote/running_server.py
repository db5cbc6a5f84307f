"""A `vllm serve` that runs already, started by somebody with `--enable-lora` and VLLM_ALLOW_RUNTIME_LORA_UPDATING=1.

An adapter is loaded under a name that follows from its content, so that no iteration gets another one's answers, and
unloaded at the end. What the server was started with, a base model, cannot be exchanged.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bootstrap.engines.remote.transport import HERE, said_by
from bootstrap.errors import EngineError, UserError

SECONDS = 300.0  # of loading an adapter
HOW = "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 vllm serve {base} --enable-lora --max-lora-rank RANK"
ALREADY = "already been loaded"


class RunningServer:
    """One server at `url` (up to /v1), asked with `headers`."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self.url, self.headers = url.rstrip("/"), dict(headers)
        self.loaded: str | None = None

    def served_name(self, base: str) -> str:
        """Return the name under which the server knows the base model. Raises UserError where it serves others."""
        status, content = self._ask("GET", "/models")
        cards = content.get("data") if status == 200 and isinstance(content, dict) else None
        if not isinstance(cards, list):
            raise UserError(f"engine.base_url: {self.url}/models answered status {status}: {str(content)[:200]}")
        for card in cards:
            if same_model(str(card.get("id")), base) or same_model(str(card.get("root")), base):
                return str(card["id"])
        names = ", ".join(str(card.get("root") or card.get("id")) for card in cards) or "nothing"
        raise UserError(
            f"engine.base_url: {self.url} serves {names}, and {base} is wanted. A running server cannot exchange its "
            f"model: start it as `{HOW.format(base=base)}` and train with train.lora.merge=false, or leave "
            "engine.base_url away: then each stage starts a server with its model"
        )

    def load(self, adapter: Path, name: str, base: str) -> None:
        """Load an adapter; one that is there by this name already, left by a killed program, is the same."""
        status, content = self._ask("POST", "/load_lora_adapter", {"lora_name": name, "lora_path": str(adapter)})
        if status == 404 and "lora" not in str(content).lower():
            raise UserError(f"engine.base_url: {self.url} loads no adapters: start it as `{HOW.format(base=base)}`")
        if status != 200 and ALREADY not in str(content):
            raise UserError(
                f"engine.base_url: {self.url} refused the adapter {adapter} (status {status}: {str(content)[:300]}): "
                "it must be able to read that folder, fit the base model, and be within the server's --max-lora-rank"
            )
        self.loaded = name

    def unload(self) -> None:
        """Take the adapter out again; that a server which has died cannot do so harms nobody."""
        if self.loaded:
            with contextlib.suppress(EngineError):
                self._ask("POST", "/unload_lora_adapter", {"lora_name": self.loaded})
            self.loaded = None

    def _ask(self, method: str, path: str, body: Mapping[str, str] | None = None) -> tuple[int, Any]:
        """Return the status and what is in the body: JSON where it is, else text."""
        import httpx2

        try:
            proxies = httpx2.URL(self.url).host not in HERE
            answer = httpx2.request(
                method, self.url + path, json=body, headers=self.headers, timeout=SECONDS, trust_env=proxies
            )
        except (httpx2.HTTPError, httpx2.InvalidURL) as e:
            raise EngineError(f"engine.base_url: {self.url} does not answer ({type(e).__name__}: {e})") from e
        if answer.status_code >= 300:
            return answer.status_code, said_by(answer.content)[0]
        try:
            return answer.status_code, answer.json()
        except ValueError:
            return answer.status_code, answer.text


def same_model(served: str, wanted: str) -> bool:
    """Say whether two names are one model: hub names as they are, folders by where they lie."""
    return served == wanted or (Path(wanted).is_dir() and Path(served).absolute() == Path(wanted).absolute())
