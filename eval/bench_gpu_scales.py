"""How large each part of eval.bench_gpu is: on a GPU, on a CPU with the same code, and small enough for a test."""

from __future__ import annotations

from dataclasses import dataclass

from bootstrap.base_model import FromScratch, WordTokenizer

QWEN3_VOCABULARY = 151_936


@dataclass(frozen=True)
class Variant:
    """One training: `flags` are run_sft.py's own. `shortest`: rows have so many tokens or more, null: all alike."""

    name: str
    batch_size: int
    lora: bool = False
    flags: tuple[str, ...] = ("--no-gradient_checkpointing",)
    shortest: int | None = None


@dataclass(frozen=True)
class Training:
    """Rows of `length` tokens, of which the last `scored` are completion; the first `warm_up` steps are left out."""

    length: int
    scored: int
    steps: int
    warm_up: int
    variants: tuple[Variant, ...]


@dataclass(frozen=True)
class Scale:
    """`squares`: sides of the matrices. `compiled`: trainings with torch.compile, a part of their own. `sequences`:
    sizes of a batch. `iteration`, `demo`: overrides of the loop."""

    model: FromScratch
    squares: tuple[int, ...]
    matrix_seconds: float
    training: Training
    compiled: tuple[Variant, ...]
    sequences: tuple[int, ...]
    new_tokens: int
    rounds: int
    iteration: tuple[str, ...]
    demo: tuple[str, ...]


def qwen3(layers: int, vocabulary: int) -> FromScratch:
    """Return Qwen3-1.7B's shape with so many layers: 50.3M parameters each."""
    return FromScratch(
        num_layers=layers, hidden_size=2048, num_heads=16, num_kv_heads=8, head_dim=128, intermediate_size=6144,
        initializer_range=0.02, max_position_embeddings=4096, dtype="bfloat16",
        tokenizer=WordTokenizer(vocab_size=vocabulary),
    )  # fmt: skip


CHECKPOINTED, COMPILED = ("--gradient_checkpointing",), ("--no-gradient_checkpointing", "--torch_compile")

GPU = Scale(
    model=qwen3(28, QWEN3_VOCABULARY),
    squares=(4096, 8192, 16_384),
    matrix_seconds=1.0,
    training=Training(
        length=1024, scored=256, steps=30, warm_up=10,
        variants=(
            Variant("full", 16),
            Variant("LoRA", 24, lora=True),
            Variant("full, checkpointing", 32, flags=CHECKPOINTED),
            Variant("full, rows of 256 to 1,024 tokens", 16, shortest=256),
        ),
    ),
    compiled=(Variant("full, compiled", 16, flags=COMPILED), Variant("LoRA, compiled", 24, lora=True, flags=COMPILED)),
    sequences=(32, 128, 256),
    new_tokens=128,
    rounds=3,
    iteration=(),
    demo=(),
)  # fmt: skip

CPU = Scale(
    model=qwen3(20, 2048),
    squares=(1024, 2048, 4096),
    matrix_seconds=2.0,
    training=Training(
        length=128, scored=32, steps=4, warm_up=1,
        variants=(
            Variant("LoRA", 4, lora=True),
            Variant("LoRA, checkpointing", 4, lora=True, flags=CHECKPOINTED),
            Variant("full", 4),
        ),
    ),
    compiled=(Variant("LoRA, compiled", 4, lora=True, flags=COMPILED),),
    sequences=(8, 16),
    new_tokens=16,
    rounds=3,
    iteration=(
        "from_scratch.num_layers=20", "source.options.count=24", "audit.problems=4", "split.dev=4", "split.test=4",
        "split.seeds=8", "engine.dtype=float32", "engine.batch_sequences=32", "sampling.max_new_tokens=16",
        "train.steps=2", "train.seed_steps=2", "train.batch_size=4", "train.lora={r: 16, alpha: 32}",
    ),
    demo=(
        "source.options.count=4840", "split.seeds=440", "from_scratch.num_layers=4", "from_scratch.hidden_size=256",
        "from_scratch.num_heads=4", "from_scratch.num_kv_heads=4", "from_scratch.intermediate_size=768",
        "engine.dtype=float32", "engine.batch_sequences=256", "max_iterations=2", "train.batch_size=32",
        "train.steps=200", "train.seed_steps=300", "train.learning_rate=2.0e-3", "train.threads=1",
    ),
)  # fmt: skip

SMALL = (
    "from_scratch.num_layers=2", "from_scratch.hidden_size=32", "from_scratch.num_heads=2",
    "from_scratch.num_kv_heads=1", "from_scratch.head_dim=16", "from_scratch.intermediate_size=64",
    "from_scratch.dtype=float32", "source.options.count=24", "audit.problems=2", "split.dev=3", "split.test=3",
    "split.seeds=4", "max_iterations=1", "engine.dtype=float32", "engine.batch_sequences=32", "sampling.waves=[2]",
    "sampling.max_new_tokens=4", "train.steps=2", "train.seed_steps=2", "train.batch_size=4", "train.threads=1",
    "checking.workers=2", "controls={seed_only: false, sample_only_problems: 0}",
)  # fmt: skip

TINY = Scale(
    model=FromScratch(
        num_layers=2, hidden_size=64, num_heads=4, num_kv_heads=2, head_dim=16, intermediate_size=128, dtype="bfloat16",
        tokenizer=WordTokenizer(vocab_size=1024),
    ),
    squares=(64, 128),
    matrix_seconds=0.01,
    training=Training(
        length=32, scored=8, steps=3, warm_up=1,
        variants=(Variant("full", 2, shortest=16), Variant("LoRA, checkpointing", 2, lora=True, flags=CHECKPOINTED)),
    ),
    compiled=(Variant("full, compiled", 2, flags=COMPILED),),
    sequences=(4, 8),
    new_tokens=4,
    rounds=1,
    iteration=SMALL,
    demo=SMALL,
)  # fmt: skip

SCALES = {"gpu": GPU, "cpu": CPU, "tiny": TINY}
