"""Build a base model from nothing: random weights, and a tokenizer whose tokens are the pieces of a small language.

    python -m bootstrap.base_model --spec spec.json --corpus train_texts.jsonl --out base --seed 1

Reads a spec (`FromScratch` as JSON) and a corpus of {"text": ...} lines: the statements of the train split and the
code of the seeds. Leaves a checkpoint that AutoModelForCausalLM and AutoTokenizer load like any other, and
`from_scratch.json`, which says what it was made of. The same spec, corpus and seed give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bootstrap.programs import WAIT_HELP, wait_for_go

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase, Qwen3Config, Qwen3ForCausalLM

SPECIAL_TOKENS = ("<pad>", "<eos>")
NUM_BYTES = 256
RECORD_FILE = "from_scratch.json"

# Calls of a chain with their dot and bracket, `.col("`; closings, `")`; words and numbers with their leading space.
POLARS_PIECES = (
    r"""\.[A-Za-z_]\w*\(?"?"""
    r"""|"\)|",|"\]"""
    r"""| ?[A-Za-z_]\w*"""
    r"""| ?[0-9]{1,3}"""
    r"""| ?(?:==|!=|<=|>=|//|\*\*|[^\w\s])"""
    r"""|\n+| +"""
)


class BaseModelError(Exception):
    """The spec or the corpus cannot give a model; the message says what to do."""


class WordTokenizer(BaseModel):
    """A tokenizer of whole pieces: what `pattern` cuts is one token if the corpus has it, and bytes if not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["words"] = "words"
    """The only kind so far."""
    pattern: str = POLARS_PIECES
    """Regular expression (Oniguruma) of one piece; text between two matches is a piece too."""
    vocab_size: int = Field(default=2048, gt=NUM_BYTES + len(SPECIAL_TOKENS))
    """Most tokens: 2 special ones, 256 bytes, then the pieces of the corpus, the most frequent first."""


class FromScratch(BaseModel):
    """A base model made of random weights, as an option of the config beside a hub name or a folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: Literal["qwen3"] = "qwen3"
    """The decoder of transformers that is built."""
    num_layers: int = Field(default=3, ge=1)
    """Decoder layers."""
    hidden_size: int = Field(default=128, ge=1)
    """Width of the residual stream."""
    num_heads: int = Field(default=4, ge=1)
    """Attention heads."""
    num_kv_heads: int = Field(default=4, ge=1)
    """Heads of keys and values; it divides num_heads."""
    head_dim: int = Field(default=32, ge=2, multiple_of=2)
    """Width of one head; even, for rotary positions."""
    intermediate_size: int = Field(default=384, ge=1)
    """Width of the feed-forward layers."""
    tie_word_embeddings: bool = True
    """Whether input and output embeddings are the same weights."""
    initializer_range: float = Field(default=0.05, gt=0)
    """Standard deviation of the random weights; 0.05 suits a width of 128, transformers' 0.02 learns later."""
    max_position_embeddings: int = Field(default=512, ge=1)
    """Longest sequence in tokens."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of the weights on disk. bfloat16 for large models: half the size, drawn on all cores at once."""
    tokenizer: WordTokenizer = WordTokenizer()
    """How text is cut into tokens."""

    @model_validator(mode="after")
    def _heads_divide(self) -> FromScratch:
        if self.num_heads % self.num_kv_heads:
            raise ValueError(f"num_kv_heads ({self.num_kv_heads}) must divide num_heads ({self.num_heads})")
        return self


def build_tokenizer(spec: WordTokenizer, texts: Iterable[str]) -> PreTrainedTokenizerBase:
    """Return a tokenizer that gives every frequent piece of `texts` one token and any other text back exactly.

    It is a byte-level BPE without merges: a piece in the vocabulary is taken whole (`ignore_merges`), any other
    falls apart into its bytes.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    try:
        pieces = pre_tokenizers.Split(Regex(spec.pattern), behavior="isolated")
    except Exception as e:  # the Rust binding raises bare Exception
        raise BaseModelError(f"tokenizer.pattern is not a regular expression: {e}") from e
    as_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    cut = pre_tokenizers.Sequence([pieces, as_bytes])
    counts = Counter(piece for text in texts for piece, _ in cut.pre_tokenize_str(text))
    if not counts:
        raise BaseModelError("the corpus has no text; expected lines {'text': ...} with statements and code.")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = sorted((piece for piece in counts if len(piece) > 1), key=lambda piece: (-counts[piece], piece))
    vocab = [*SPECIAL_TOKENS, *alphabet, *words][: spec.vocab_size]
    model = models.BPE({token: i for i, token in enumerate(vocab)}, merges=[], ignore_merges=True)
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = cut
    tokenizer.decoder = decoders.ByteLevel()
    pad, eos = SPECIAL_TOKENS
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=pad, eos_token=eos, clean_up_tokenization_spaces=False,
        model_max_length=int(1e9), padding_side="left",
    )  # fmt: skip


def build_base_model(spec: FromScratch, texts: Sequence[str], out: Path, seed: int) -> Path:
    """Write model, tokenizer and record to the new folder `out` and return it.

    Raises BaseModelError if `out` is there already or the corpus is empty.
    """
    if out.exists():
        raise BaseModelError(f"{out} is there already; remove it or give another --out.")
    tokenizer = build_tokenizer(spec.tokenizer, texts)
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    parameters = _write_model(spec, tokenizer, partial, seed)
    tokenizer.save_pretrained(partial)
    record = {
        "spec": spec.model_dump(exclude=set() if spec.dtype != "float32" else {"dtype"}),
        "seed": seed,
        "corpus_sha256": hashlib.sha256("\n".join(texts).encode()).hexdigest(),
        "vocab_size": len(tokenizer),
        "parameters": parameters,
    }
    (partial / RECORD_FILE).write_text(json.dumps(record, indent=1) + "\n")
    return partial.rename(out)


def _write_model(spec: FromScratch, tokenizer: PreTrainedTokenizerBase, folder: Path, seed: int) -> int:
    """Write a model with random weights and return its number of parameters."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=spec.hidden_size,
        num_hidden_layers=spec.num_layers,
        num_attention_heads=spec.num_heads,
        num_key_value_heads=spec.num_kv_heads,
        head_dim=spec.head_dim,
        intermediate_size=spec.intermediate_size,
        tie_word_embeddings=spec.tie_word_embeddings,
        initializer_range=spec.initializer_range,
        max_position_embeddings=spec.max_position_embeddings,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    if spec.dtype == "float32":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = Qwen3ForCausalLM(config)
    else:
        model = _drawn_in_parallel(config, seed)
    model.save_pretrained(folder)
    return int(model.num_parameters())


def _drawn_in_parallel(config: Qwen3Config, seed: int) -> Qwen3ForCausalLM:
    """Return a model in bfloat16 whose weights are drawn once, each matrix by a generator of its own.

    transformers draws every weight twice, in fp32 and on one core: a minute and 5 GB for a billion parameters.
    """
    import torch
    from transformers import Qwen3ForCausalLM

    with torch.device("meta"):
        model: Any = Qwen3ForCausalLM(config)
    model = model.to(torch.bfloat16).to_empty(device="cpu")
    model.tie_weights()

    def draw(number: int, weight: torch.Tensor) -> None:
        if weight.ndim < 2:
            weight.fill_(1.0)  # a norm's scale: the architecture has no biases
        else:
            generator = torch.Generator().manual_seed(seed * 1_000_003 + number)
            # in fp32 first: torch draws bfloat16 ten times as slowly
            weight.copy_(torch.empty(weight.shape).normal_(0.0, config.initializer_range, generator=generator))

    weights = [parameter.data for parameter in model.parameters()]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(draw, range(len(weights)), weights))
    model.get_input_embeddings().weight.data[config.pad_token_id] = 0.0  # as transformers has it
    return model


def read_corpus(path: Path) -> list[str]:
    """Return the texts of a JSONL file of {"text": ...} lines."""
    if not path.is_file():
        raise BaseModelError(f"--corpus {path}: no such file; expected JSONL lines with the key text.")
    texts = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            text = json.loads(line)["text"]
        except (ValueError, KeyError, TypeError) as e:
            raise BaseModelError(f"{path} line {number}: expected an object with the key text ({e!r}).") from e
        if not isinstance(text, str):
            raise BaseModelError(f"{path} line {number}: text must be a string, found {type(text).__name__}.")
        texts.append(text)
    return texts


def _import_libraries() -> None:
    import torch  # noqa: F401
    from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM  # noqa: F401


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bootstrap.base_model", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spec", type=Path, required=True, help="JSON file with the keys of FromScratch; {} is valid")
    parser.add_argument("--corpus", type=Path, required=True, help='JSONL lines {"text": ...}')
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    parser.add_argument("--seed", type=int, default=0, help="of the random weights (%(default)s)")
    parser.add_argument("--wait", action="store_true", help=WAIT_HELP)
    args = parser.parse_args(argv)
    if args.wait:
        wait_for_go(_import_libraries)
    try:
        spec = FromScratch.model_validate_json(args.spec.read_bytes())
        what = f"{spec.num_layers} layers of width {spec.hidden_size} in {spec.dtype}"
        print(f"making a model of {what}", file=sys.stderr, flush=True)
        out = build_base_model(spec, read_corpus(args.corpus), args.out, args.seed)
    except (BaseModelError, ValidationError, OSError) as e:
        print(f"base_model: error: {e}", file=sys.stderr)
        return 2
    record = json.loads((out / RECORD_FILE).read_text())
    print(f"{out}: {record['parameters']:,} parameters, {record['vocab_size']} tokens", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
