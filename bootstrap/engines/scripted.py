"""An engine that replays recorded completions: for tests, and for running a loop again without a model.

The script is a JSONL of {"problem_id", "completion"} with optional "sample_index" and "tag" ("iteration 2", "dev"),
or the folder of an earlier run, whose candidates and evaluations are replayed. A row without a tag serves every tag;
without a sample index the problem's rows serve sample 0, 1, ... in turn. A request that the script does not hold is
an EngineError: nothing is made up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bootstrap.config import EngineConfig, PromptConfig
from bootstrap.engines.base import Completion, Decoding, Request
from bootstrap.errors import EngineError, UserError
from bootstrap.files import read_jsonl
from bootstrap.records import digest

Key = tuple[str, str]  # tag, problem_id


class ScriptedEngine:
    name = "scripted"

    def __init__(self, model: str, config: EngineConfig, prompt: PromptConfig) -> None:
        if not config.script:
            raise UserError("engine.name is scripted: set engine.script to a JSONL of completions or to a run's folder")
        self.script = Path(config.script)
        if not self.script.exists():
            raise UserError(f"engine.script: {self.script} does not exist")
        self.model_digest = digest("scripted")
        self.busy_seconds = 0.0
        rows = read_run(self.script) if self.script.is_dir() else read_jsonl(self.script)
        self.answers: dict[Key, dict[int, str]] = defaultdict(dict)
        for row in rows:
            self._add(row)

    def _add(self, row: Mapping[str, Any]) -> None:
        try:
            answers = self.answers[str(row.get("tag", "")), str(row["problem_id"])]
            completion = row["completion"]
            if not isinstance(completion, str):
                raise TypeError("completion, which must be text")
            answers[int(row.get("sample_index", len(answers)))] = completion
        except (KeyError, TypeError, ValueError) as e:
            raise UserError(f"{self.script}: a row is not a recorded completion: missing or bad {e}") from e

    def generate(self, requests: Sequence[Request], decoding: Decoding) -> Iterator[Completion]:
        for request in requests:
            answers = self.answers.get((request.tag, request.problem_id)) or self.answers.get(("", request.problem_id))
            for index in range(request.num_samples):
                if not answers or index not in answers:
                    raise EngineError(
                        f"{self.script} holds no completion {index} of problem {request.problem_id} for {request.tag!r}"
                    )
                text = answers[index]
                yield Completion(request.problem_id, index, text, len(text.split()), complete=True)

    def close(self) -> None:
        self.answers.clear()


def read_run(root: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the recorded completions of a run folder with the tags under which the loop asks for them."""
    for path in sorted(root.glob("iteration_*/candidates.jsonl")):
        tag = f"iteration {path.parent.name.split('_')[1]}"
        for row in read_jsonl(path):
            yield {**row, "tag": f"{tag} wave {row['wave']}"}
    for row in read_jsonl(root / "final" / "sample_only.jsonl"):
        yield {**row, "tag": f"sample only {row['iteration']} wave {row['wave']}"}
    for path in sorted(root.glob("*/evaluation/*.jsonl")):
        tag = f"{path.parent.parent.name} {path.stem}"
        for row in read_jsonl(path):
            yield {"problem_id": row["problem_id"], "completion": row["completion"], "sample_index": 0, "tag": tag}
