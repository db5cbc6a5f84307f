"""What makes a step faster on a GPU and leaves what is learned as it is. Imports torch: import it late."""

from __future__ import annotations

from typing import Any

import torch


def speed_up(model: Any, device: torch.device, *, bf16: bool, packing: bool, compile_layers: bool) -> None:
    """Prepare a causal model, with or without adapters, for training on this device."""
    plain = model.get_base_model() if hasattr(model, "get_base_model") else model
    if bf16:
        leave_inputs_in_16_bits(model)
    if device.type == "cuda" and not packing and plain.config._attn_implementation == "sdpa":
        attend_without_mask(plain.base_model)
    if compile_layers:
        compile_each_layer(plain)


def leave_inputs_in_16_bits(model: torch.nn.Module) -> None:
    """Keep PEFT from turning the input of every adapter into fp32, the type of its weights.

    Under autocast the adapter's product turns it back into bf16 at once: the same bits, for twice the traffic.
    """
    for module in model.modules():
        if hasattr(module, "cast_input_dtype_enabled"):
            module.cast_input_dtype_enabled = False


def attend_without_mask(decoder: torch.nn.Module) -> None:
    """Take the mask of padding away from a decoder whose rows are padded on the right.

    Under causal attention no token sees what stands on its right, and padding has no label: the mask changes nothing,
    but with one torch leaves out its flash kernel and repeats keys and values for every head.
    """

    def drop(_: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return args, {**kwargs, "attention_mask": None}

    decoder.register_forward_pre_hook(drop, with_kwargs=True)


def compile_each_layer(model: torch.nn.Module) -> None:
    """Compile the decoder's layers one by one: they share one program, which takes far less time than the whole."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    for module in model.modules():
        if isinstance(module, GradientCheckpointingLayer):
            module.compile()
