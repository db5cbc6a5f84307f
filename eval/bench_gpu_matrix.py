"""The measured matrix rate of a device: what training is compared with. Large squares, and the shapes of a model."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from bootstrap.base_model import FromScratch
from eval.bench_gpu_scales import Scale
from eval.bench_table import Section

if TYPE_CHECKING:
    import torch

TRIES = 5  # of each shape; the best counts


@dataclass(frozen=True)
class Product:
    """Rows x inner times inner x columns; `rate` in FLOP/s, a multiplication and an addition being two."""

    name: str
    rows: int
    inner: int
    columns: int
    dtype: str
    rate: float


def device_name() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def free_gpu() -> None:
    """Give back what this process holds of the GPU's memory: a child is next."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def working_dtype(device: str) -> str:
    """Return the type in which run_sft.py computes there."""
    return "bfloat16" if device == "cuda" else "float32"


def seconds_of(work: Callable[[], object], device: str, at_least: float) -> float:
    """Return the seconds of one call: the best of several runs, which together last so long or longer."""
    import torch

    def run(times: int) -> float:
        if device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(times):
            work()
        if device == "cuda":
            torch.cuda.synchronize()
        return (time.perf_counter() - start) / times

    run(2)
    times = max(1, round(at_least / TRIES / max(run(1), 1e-7)))
    return min(run(times) for _ in range(TRIES))


def product(name: str, shape: tuple[int, int, int], dtype: str, at_least: float) -> Product:
    """Multiply as a linear layer does: x @ W.T."""
    import torch

    device = device_name()
    rows, inner, columns = shape
    kind: torch.dtype = getattr(torch, dtype)
    x = torch.randn(rows, inner, device=device).to(kind)
    weight = torch.randn(columns, inner, device=device).to(kind)
    out = torch.empty(rows, columns, device=device, dtype=kind)
    with torch.inference_mode():
        seconds = seconds_of(lambda: torch.mm(x, weight.t(), out=out), device, at_least)
    return Product(name, rows, inner, columns, dtype, 2 * rows * inner * columns / seconds)


def squares(scale: Scale, dtype: str) -> list[Product]:
    return [product(f"square {n:,}", (n, n, n), dtype, scale.matrix_seconds) for n in scale.squares]


def measured_rate(scale: Scale) -> Product:
    """Return the best square product in the type in which training computes: the rate that a share is a share of."""
    return max(squares(scale, working_dtype(device_name())), key=lambda one: one.rate)


def layers(model: FromScratch, tokens: int) -> dict[str, tuple[int, int, int]]:
    queries = model.num_heads * model.head_dim
    return {
        "queries": (tokens, model.hidden_size, queries),
        "keys": (tokens, model.hidden_size, model.num_kv_heads * model.head_dim),
        "gate": (tokens, model.hidden_size, model.intermediate_size),
        "down": (tokens, model.intermediate_size, model.hidden_size),
    }


def matrix_section(scale: Scale) -> Section:
    training = scale.training
    tokens = training.length * training.variants[0].batch_size
    found: list[Product] = []
    for dtype in ("bfloat16", "float32"):
        found += squares(scale, dtype)
        shapes = layers(scale.model, tokens).items()
        found += [product(name, shape, dtype, scale.matrix_seconds) for name, shape in shapes]
    return section_of(found)


def section_of(found: Sequence[Product]) -> Section:
    rows = [
        [one.name, f"{one.rows:,} x {one.inner:,} x {one.columns:,}", one.dtype, f"{one.rate / 1e12:.3g}"]
        for one in found
    ]
    notes = [f"best of {TRIES} runs each; float32 as torch sets it up, without TF32"]
    figures = {"device": device_name(), "products": [asdict(one) for one in found]}
    return Section("Matrix rate", ("product", "rows x inner x columns", "type", "TFLOP/s"), rows, notes, figures)
