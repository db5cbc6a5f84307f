"""Waiting for what an actor answers: bounded, given up when the caller closes, with Ray's errors told apart."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

from bootstrap.errors import UserError

LOOK_SECONDS = 0.25
ACTOR_START_SECONDS = 180.0  # a process, its imports, and engines that load on a busy machine


class ActorLostError(RuntimeError):
    """The actor died, cannot be reached, or gives no sign of life."""


class ClosingError(RuntimeError):
    """The caller closes: nobody wants the answer any more."""


def wait_for(reference: Any, seconds: float, closing: threading.Event, what: str = "no sign of life") -> Any:
    """Return the value of a reference. Raises ActorLostError, ClosingError, and what the actor's own code raised."""
    import ray

    deadline = time.monotonic() + seconds
    while not closing.is_set():
        try:
            return ray.get(reference, timeout=LOOK_SECONDS)
        except ray.exceptions.GetTimeoutError:
            if time.monotonic() > deadline:
                raise ActorLostError(f"{what} for {seconds:g} s") from None
        except ray.exceptions.RayTaskError as error:
            raise error.cause if isinstance(error.cause, Exception) else RuntimeError(str(error)) from error
        except ray.exceptions.RayError as error:
            raise _lost(error) from error
    raise ClosingError


def on_node(node_id: str) -> Any:
    """Return what places an actor there and nowhere else: a soft wish is not heeded for actors without processors."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node_id, soft=False)


def end_actor(actor: Any, seconds: float = 0.0) -> None:
    """End an actor: by its own `end`, if that takes no longer than `seconds`, and then for sure."""
    import ray

    with contextlib.suppress(Exception):  # it may be gone, and so may the cluster
        if seconds:
            ray.get(actor.end.remote(), timeout=seconds)
    with contextlib.suppress(Exception):
        ray.kill(actor, no_restart=True)


def _lost(error: Exception) -> Exception:
    text = " ".join(str(error).split())
    if "No module named" in text or "failed to import" in text or "failed to be imported" in text:
        return UserError(
            f"an actor cannot import this project ({text[:600]}): install the same checkout, with `pip install -e "
            "'.[ray]'`, on every machine of the cluster"
        )
    return ActorLostError(f"{type(error).__name__}: {text.partition(' class_name:')[0][:200]}")
