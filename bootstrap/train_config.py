"""The section `train` of a run's configuration: what is trained, from where, and how it is launched."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class TrainSection(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LoraConfig(TrainSection):
    r: int = Field(32, ge=1)
    """Rank."""
    alpha: int = Field(64, ge=1)
    """Scale times rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the adapter's inputs that is left out at each step."""
    target_modules: str = "all-linear"
    """Names of the linear layers with an adapter, separated by blanks."""
    load_in_4bit: bool = False
    """QLoRA: the base in 4 bits while it is trained; needs a GPU and bitsandbytes. It is merged in 16 bits."""
    merge: bool = True
    """Write each iteration's model as a plain checkpoint, the adapter beside it. False: the adapter alone, which saves
    the size of the base per iteration and which the samplers load on top of the base."""


class TrainConfig(TrainSection):
    program: str | None = "sft/run_sft.py"
    """The trainer, called once per iteration; a path from the project's root. Null: nothing is trained (replays)."""
    launcher: tuple[str, ...] = ()
    """Words before the program instead of `python`, e.g. ["torchrun", "--nproc_per_node", "8"]; with
    `accelerate_config` the words before accelerate, e.g. ["srun", "--nodes", "2", "--ntasks-per-node", "1"]."""
    accelerate_config: str | None = None
    """Configuration file of accelerate (see configs/accelerate/), a path from the project's root: the trainer starts as
    `accelerate launch --config_file FILE`. How many processes it names decides the rows of a step."""
    device: Literal["auto", "cpu"] = "auto"
    """auto takes CUDA where there is a GPU."""
    steps: int = Field(0, ge=0)
    """Optimizer steps per iteration; 0: `epochs` decides."""
    epochs: float = Field(2.0, gt=0)
    """Passes over the rows."""
    seed_steps: int = Field(0, ge=0)
    """Optimizer steps on the seeds before the loop (the model of iteration 0); 0: the base model as it is."""
    start_from: Literal["base", "best", "best_adapter"] = "base"
    """Where each iteration's training starts. base: the base model. best: the best model so far; of LoRA, its adapter
    merged into the base in 16 bits and a new one on top. best_adapter: LoRA alone, the best model's adapter goes on."""
    learning_rate: float = Field(2.0e-5, gt=0)
    """Peak; LoRA wants about ten times the rate of full fine-tuning."""
    scheduler: str = "linear"
    """linear, cosine, constant_with_warmup, ..., by transformers' names."""
    warmup_steps: int = Field(0, ge=0)
    """Steps in which the rate rises from 0."""
    weight_decay: float = Field(0.0, ge=0)
    """Of AdamW, not on norms and biases."""
    adam_beta2: float = Field(0.999, gt=0, lt=1)
    """Of AdamW."""
    batch_size: int = Field(8, ge=1)
    """Rows per device and forward pass."""
    gradient_accumulation_steps: int = Field(1, ge=1)
    """Forward passes per optimizer step."""
    max_length: int = Field(2048, ge=8)
    """Tokens of prompt and completion together; longer rows are left out and counted."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """auto: bf16 on a GPU that has it. Full fine-tuning keeps fp32 weights and computes in bf16."""
    gradient_checkpointing: bool = False
    """Keep one activation per layer and compute the rest again: about a third more time, far less memory."""
    attn_implementation: str | None = None
    """sdpa, flash_attention_2, ..., by transformers' names; null: transformers' choice."""
    torch_compile: bool = False
    """Compile the model's layers with torch.compile: the first steps take a minute or two, the others less time than
    without. Needs a C++ compiler. Worth it on a GPU for trainings of hundreds of steps."""
    packing: bool = False
    """Lay the rows of a forward pass end to end, without padding. Right with FlashAttention alone: with other
    attention a row would see the one before it. Without packing, rows of similar length share a batch."""
    lora: LoraConfig | None = None
    """Null: full fine-tuning."""
    threads: int = Field(0, ge=0)
    """Torch threads of one training on a CPU; 0: the cores, shared between trainings that run side by side."""
    save_steps: int = Field(0, ge=0)
    """Trainer checkpoints inside an iteration, from which a killed training goes on; 0: none."""

    @model_validator(mode="after")
    def _packing_needs_flash_attention(self) -> TrainConfig:
        if self.packing and "flash" not in (self.attn_implementation or ""):
            raise ValueError(
                "packing needs attn_implementation: flash_attention_2 (found "
                f"{self.attn_implementation}): other attention would let a row see the one before it"
            )
        return self

    @model_validator(mode="after")
    def _adapters_lead_to_one_base(self) -> TrainConfig:
        if self.start_from == "best_adapter" and self.lora is None:
            raise ValueError("start_from best_adapter needs lora: full fine-tuning has no adapter; use start_from best")
        if self.lora is not None and not self.lora.merge and self.start_from == "best":
            raise ValueError(
                "start_from best needs lora.merge: an adapter on an adapter is nothing that a sampler can load; use "
                "start_from best_adapter, or lora.merge: true"
            )
        return self
