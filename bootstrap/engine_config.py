"""The section `engine` of a run's configuration: what samples, and how a server is asked."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class EngineSection(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PriceConfig(EngineSection):
    """US dollars per million tokens."""

    input: float = Field(ge=0)
    """What the model reads."""
    output: float = Field(ge=0)
    """What it writes, thoughts that are not shown among it."""
    cached_input: float | None = Field(None, ge=0)
    """Input tokens that the server had in its cache; null: as input."""


class EngineConfig(EngineSection):
    name: str = "transformers"
    """Name in `bootstrap.engines.ENGINES`."""
    python: str | None = None
    """Python of another environment that samples and evaluates: vllm and the trainer ask for different versions of
    transformers. Null: the loop's own."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto takes CUDA where there is a GPU."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """auto: float32 on a CPU, what the checkpoint was saved in on a GPU, bfloat16 with vllm."""
    batch_sequences: int = Field(128, ge=1)
    """Sequences generated side by side; a batch is also the unit of resuming."""
    replicas: int = Field(1, ge=1)
    """Copies of the model that sample side by side, a batch each (data parallel); each takes GPUs of its own."""
    threads: int = Field(0, ge=0)
    """Torch threads while sampling on a CPU; 0 leaves torch's default."""
    script: str | None = None
    """For the scripted engine: a JSONL of completions, or the folder of an earlier run to replay."""
    base_url: str | None = None
    """openai, anthropic: address of the server up to /v1; null: the provider's own. `vllm serve` and `transformers
    serve` are servers for the engine openai."""
    api_key_env: str | None = None
    """Environment variable that holds the key; null: OPENAI_API_KEY or ANTHROPIC_API_KEY."""
    store: str | None = None
    """JSONL to which every request is written with its answer. What it holds is not asked again; the engine scripted
    replays it. The engines openai and anthropic need it."""
    concurrency: int = Field(32, ge=1)
    """Requests to a server that may be under way at the same time."""
    timeout_seconds: float = Field(300.0, gt=0)
    """Wall time of one request, from sending it to the last byte of its answer."""
    retries: int = Field(6, ge=0)
    """Further attempts after a lost connection, a time-out, an answer that is no JSON, and the statuses 429 and 5xx."""
    backoff_seconds: float = Field(1.0, ge=0)
    """The first retry waits up to so long, each further one up to twice as long (60 s at most), or what the server's
    Retry-After asks."""
    token_limit_key: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    """Name under which the engine openai sends `sampling.max_new_tokens`; older servers know max_tokens alone."""
    omit: tuple[str, ...] = ()
    """Keys left out of the requests, for models that refuse them, e.g. [temperature, top_p, seed]."""
    extra_body: dict[str, Any] = {}
    """Further keys of every request, e.g. {reasoning_effort: low}."""
    prices: dict[str, PriceConfig] = {}
    """Model -> its prices; with `batch`, those of the provider's batches."""
    budget_usd: float | None = Field(None, gt=0)
    """Stop before all requests in the store have cost more; needs the model's prices."""
    budget_tokens: int | None = Field(None, ge=1)
    """Stop before all requests in the store have taken more tokens, input and output together."""
    batch: bool = False
    """openai: hand all requests of a call to the provider's batch service, which is cheaper and takes up to a day."""
    batch_requests: int = Field(10_000, ge=1)
    """Requests in one of the provider's batches at most. Set `batch_sequences` as high: it bounds what is asked at a
    time."""
    batch_poll_seconds: float = Field(10.0, gt=0)
    """Wait before the first look at a batch; each further one is half as long again, 5 minutes at most."""
    tensor_parallel_size: int = Field(1, ge=1)
    """vllm: GPUs over which the model is spread."""
    gpu_memory_utilization: float = Field(0.9, gt=0, le=1)
    """vllm: share of a GPU's memory that weights and cache may take."""
    max_model_len: int | None = Field(None, ge=1)
    """vllm: tokens of prompt and answer together; null: what the model's configuration says."""
    enforce_eager: bool = False
    """vllm: do not compile the model: it starts sooner and samples more slowly."""
    lora_rank: int = Field(64, ge=1)
    """vllm: highest rank of an adapter that may be loaded."""
