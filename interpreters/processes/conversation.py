"""What the parent and one child say to each other: requests out, replies in, until the deadline.

The deadline counts the time that the child could have used: what its threads spent waiting for a processor, on a host
that does other things too, is added to it, up to `PATIENCE` times the limit. So verdicts do not depend on the load.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from interpreters.base import Job, Limits, Outcome, Table
from interpreters.processes.candidate import ASK, CODE, GO_ON, INPUTS, LENGTH, STOP
from interpreters.processes.replies import LOAD_SECONDS, Replies
from interpreters.wire import dump_request, table_to_json

Inputs = Sequence[Mapping[str, Table]]


def request_of_jobs(jobs: Sequence[Job], limits: Limits, context: str, loaded: bool, asks: bool) -> bytes:
    """Return the request that runs the jobs one after the other; the first one's inputs are loaded before lockdown,
    or have been already."""
    encoded = [
        {"code": code, "inputs": _encode(inputs) if i else None, "tests": len(inputs)}
        for i, (code, inputs) in enumerate(jobs)
    ]
    first = _encode(jobs[0][1]) if jobs and not loaded else None
    return _request({"jobs": encoded, "inputs": first, "asks": asks}, limits, limits.seconds * len(jobs), context)


def request_of_session(inputs: Inputs, limits: Limits, cpu_seconds: float, context: str) -> bytes:
    """Return the request that loads the inputs and then waits for codes."""
    return _request({"jobs": None, "inputs": _encode(inputs)}, limits, cpu_seconds, context)


def message_of_inputs(inputs: Inputs) -> bytes:
    """Return inputs alone, with their length, for the zygote to load."""
    payload = dump_request({"inputs": _encode(inputs)})
    return LENGTH.pack(len(payload)) + payload


def message_of_new_inputs(inputs: Inputs) -> bytes:
    """Return what a session is told to go on with other inputs."""
    return INPUTS + dump_request({"inputs": _encode(inputs)})


def message_of_code(code: str, asks: bool) -> bytes:
    return (ASK if asks else CODE) + code.encode("utf-8", "surrogatepass")


def _encode(inputs: Inputs) -> list[Any]:
    return [{name: table_to_json(table) for name, table in tables.items()} for tables in inputs]


def _request(body: Mapping[str, Any], limits: Limits, cpu_seconds: float, context: str) -> bytes:
    return dump_request(
        {
            **body,
            "context": context,
            "memory_mb": limits.memory_mb,
            "cpu_seconds": cpu_seconds,
            "max_cells": limits.cells,
            "max_bytes": limits.output_bytes,
        }
    )


def converse(connection: socket.socket, message: bytes, replies: Replies, waited: Callable[[], float]) -> str:
    """Send a message and read replies; return why it ended: told (nothing more to come), closed, or deadline.

    `waited` returns for how many seconds the child has been kept from a processor.
    """
    load_deadline = time.monotonic() + replies.load_seconds
    connection.settimeout(LOAD_SECONDS)
    try:
        connection.sendall(LENGTH.pack(len(message)) + message)
    except (TimeoutError, ConnectionError):
        return "closed"
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    while not replies.complete:
        deadline = replies.deadline if replies.started else load_deadline
        if not poll.poll(max((replies.look_again or deadline) - time.monotonic(), 0) * 1000):
            if replies.look_again is not None:
                replies.set_baseline(waited())
                continue
            if replies.started and replies.extend(waited()):
                continue
            return "deadline"
        try:
            chunk = connection.recv(2**18)
        except ConnectionError:
            return "closed"
        if not chunk:
            return "closed"
        more = replies.feed(chunk)
        if replies.stops or replies.goes_on:
            try:
                connection.sendall(STOP if replies.stops else GO_ON * replies.goes_on)
            except (TimeoutError, ConnectionError):
                return "closed"
            replies.goes_on = 0
        if not more:
            break
    return "told"


def explain(ending: str, status: int | None, limits: Limits) -> tuple[Outcome, str]:
    """Say why a child that had started gave no answer."""
    if ending == "deadline":
        return Outcome.TIMEOUT, f"no result after {limits.seconds:g} s"
    if status is None:
        return Outcome.NO_RESULT, "the process ended together with its sandbox"
    if not os.WIFSIGNALED(status):
        return (
            Outcome.NO_RESULT,
            f"the process ended with exit code {os.waitstatus_to_exitcode(status)}, without a result",
        )
    number = os.WTERMSIG(status)
    if number == signal.SIGABRT:  # how Rust and C++ end when an allocation fails
        return Outcome.MEMORY_EXCEEDED, "the process aborted: an allocation failed"
    if number == signal.SIGXCPU:
        return Outcome.TIMEOUT, f"more CPU time than {limits.seconds:g} s allow"
    if number == signal.SIGKILL:  # it was still alive: our own kill
        return Outcome.NO_RESULT, "the process closed its connection without a result"
    return Outcome.RUNTIME_ERROR, f"the process died of {signal.Signals(number).name}"
