"""The section `engine` of a run's configuration: what samples, and how a server is asked."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


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
    attn_implementation: Literal["sdpa", "eager", "flash_attention_2", "flash_attention_3"] | None = None
    """transformers: how attention is computed; null: what transformers picks, sdpa where the model knows it."""
    batch_sequences: int = Field(128, ge=1)
    """Sequences generated side by side; a batch is also the unit of resuming. transformers: where memory runs out,
    halves of the batch go on, one after the other."""
    continuous_batching: int = Field(0, ge=0)
    """transformers: this many of a batch's sequences grow at once, the next one taking the place of each that ends; 0:
    the whole batch side by side until its last one ends. Pays where lengths differ widely. Not tried on a GPU, where it
    wants FlashAttention."""
    replicas: int = Field(1, ge=1)
    """Copies of the model that sample side by side, a batch each (data parallel); each takes GPUs of its own."""
    answer_seconds: float = Field(3600.0, gt=0)
    """A copy that samples and finishes no completion for so long hangs: it is ended and replaced."""
    threads: int = Field(0, ge=0)
    """Torch threads while sampling on a CPU; 0 leaves torch's default."""
    script: str | None = None
    """For the scripted engine: a JSONL of completions, or the folder of an earlier run to replay."""
    base_url: str | None = None
    """openai, anthropic: address of the server up to /v1; null: the provider's own. `vllm serve` and `transformers
    serve` are servers for the engine openai. vllm_server: address of a server that runs and loads adapters; null: each
    stage starts one."""
    api_key_env: str | None = None
    """Environment variable that holds the key; null: OPENAI_API_KEY, ANTHROPIC_API_KEY or VLLM_API_KEY."""
    store: str | None = None
    """JSONL to which every request is written with its answer. What it holds is not asked again; the engine scripted
    replays it. The engines openai, anthropic and vllm_server need it; a run keeps them in its folder."""
    concurrency: int = Field(32, ge=1)
    """Requests to a server that may be under way at the same time; with vllm_server `batch_sequences` says it."""
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
    """vllm, vllm_server: GPUs over which the model is spread; the settings below are for both too."""
    gpu_memory_utilization: float = Field(0.9, gt=0, le=1)
    """Share of a GPU's memory that weights and cache may take."""
    max_model_len: int | None = Field(None, ge=1)
    """Tokens of prompt and answer together; null: what the model's configuration says."""
    enforce_eager: bool = False
    """Do not compile the model: it starts sooner and samples more slowly."""
    lora_rank: int = Field(64, ge=1)
    """Highest rank of an adapter that may be loaded."""
    start_seconds: float = Field(1800.0, gt=0)
    """vllm_server: how long a server may take until it answers, loading and compiling the model."""
    serve_words: tuple[str, ...] = ()
    """vllm_server: further words of `vllm serve`, e.g. ["--kv-cache-dtype", "fp8"]."""

    @property
    def in_vllm(self) -> bool:
        """Whether vLLM loads the model on this machine: in process, or in a server that a stage starts."""
        return self.name == "vllm" or (self.name == "vllm_server" and self.base_url is None)

    @property
    def loads_here(self) -> bool:
        """Whether the model is loaded on this machine, rather than asked somewhere."""
        return self.name == "transformers" or self.in_vllm

    @model_validator(mode="after")
    def _settings_of_transformers(self) -> EngineConfig:
        for key in ("attn_implementation", "continuous_batching"):
            if getattr(self, key) and self.name != "transformers":
                raise ValueError(f"{key} is a setting of the engine transformers; name is {self.name}: leave it out")
        return self

    @model_validator(mode="after")
    def _copies_of_what_is_loaded(self) -> EngineConfig:
        if self.replicas > 1 and self.name in ("openai", "anthropic"):
            raise ValueError(
                f"replicas is {self.replicas}, but {self.name} asks a server, of which no copies are made here: leave "
                "it at 1 and set engine.concurrency to the requests that may be under way"
            )
        return self
