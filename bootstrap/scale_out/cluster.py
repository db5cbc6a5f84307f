"""This process' connection to a Ray cluster: made once, shared by the checkers and the samplers, bounded in time.

The connection lives on a thread of its own. It stays there as long as it is used, for two reasons: Ray ties the
processes of a cluster that it starts to the thread that started them, and its signal handlers, which would take the
place of the program's, are set on the main thread only.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bootstrap.errors import UserError
from bootstrap.scale_out.same_code import differences, versions
from bootstrap.scale_out_config import RayConfig

CONNECT_SECONDS = 45.0  # below the minute after which Ray's own connection ends the process
START_SECONDS = 180.0  # a cluster on this machine, which may be loaded
PROBE_SECONDS = 10.0
NODE_SECONDS = 2.0
LEAVE_SECONDS = 20.0
LOCAL_STORE_BYTES = 256 * 2**20  # what passes between actors is small
INSTALL = "pip install -e '.[ray]'"
ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


@dataclass(frozen=True)
class Node:
    node_id: str
    host: str
    port: int
    cpus: int
    gpus: int


class Cluster:
    """See the module. `versions` are this machine's; `losses` counts the actors lost since the connection was made."""

    def __init__(self, config: RayConfig) -> None:
        self.config = config
        self.versions = versions()
        self.losses = 0
        self._lock = threading.Lock()
        self._up, self._leave = threading.Event(), threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._live, name="ray", daemon=True)

    def connect(self) -> None:
        """Raises UserError where there is no cluster at the address, or one that this process does not fit."""
        address, seconds = self.config.address, CONNECT_SECONDS if self.config.address else START_SECONDS
        if address is not None and ":" in address:
            probe(address)
        self._thread.start()
        if not self._up.wait(seconds):
            raise UserError(
                f"ray.address: {address or 'a cluster on this machine'} did not answer within {seconds:.0f} s: look at "
                "`ray status` there"
            )
        if self._error is not None:
            raise _explained(self._error, address)

    def _live(self) -> None:
        import ray

        try:
            ray.init(**self._arguments())
        except BaseException as error:  # the boundary of the thread: `connect` raises it
            self._error = error
            self._up.set()
            return
        self._up.set()
        self._leave.wait()
        ray.shutdown()

    def _arguments(self) -> dict[str, Any]:
        common = {"namespace": f"bootstrap-{uuid.uuid4().hex[:12]}", "log_to_driver": False,
                  "logging_level": logging.ERROR, "configure_logging": False}  # fmt: skip
        if self.config.address is not None:
            return {"address": self.config.address, **common}
        return {"address": "local", "include_dashboard": False, "object_store_memory": LOCAL_STORE_BYTES, **common}

    def close(self) -> None:
        self._leave.set()
        self._thread.join(LEAVE_SECONDS)

    def nodes(self) -> list[Node]:
        """Return the nodes that are alive."""
        import ray

        found = []
        for row in ray.nodes():
            lends = row["Resources"]
            if row["Alive"]:
                address = row["NodeManagerAddress"], int(row["NodeManagerPort"])
                found.append(Node(row["NodeID"], *address, int(lends.get("CPU", 0)), int(lends.get("GPU", 0))))
        return sorted(found, key=lambda node: (node.host, node.node_id))

    def checking_nodes(self) -> list[Node]:
        """Return the nodes that lend processors and take connections; a head started with --num-cpus 0 does no work.

        Ray itself needs a quarter of a minute to see that a machine has died. Raises UserError where there is none.
        """
        lending = [node for node in self.nodes() if node.cpus]
        found = [node for node in lending if takes_connections(node.host, node.port)]
        if not found:
            raise UserError(
                f"no node of the Ray cluster can check: {len(lending)} lend processors, and none of them takes "
                "connections: start one with `ray start`, with --num-cpus above 0"
            )
        return found

    def require_same(self, there: Mapping[str, str], where: str) -> None:
        """Raises UserError where an actor runs other code than this process."""
        different = differences(self.versions, there)
        if different:
            raise UserError(
                f"{where} runs other code than this machine ({different}): install the same checkout with the same "
                "libraries on every machine of the cluster, and start its Ray again"
            )

    def count_loss(self, who: str, why: str) -> None:
        """Note that an actor was lost. Raises UserError where `ray.replacements` of them have been replaced already."""
        with self._lock:
            self.losses += 1
            number, allowed = self.losses, self.config.replacements
        if number > allowed:
            raise UserError(
                f"{who} was lost ({why}) after {allowed} others had been replaced (ray.replacements): look at "
                "`ray status` and at the logs of its node; then go on with --resume"
            )
        print(f"{who} was lost ({why}): what it owed goes to others; replacement {number} of {allowed}", flush=True)


_shared: list[Cluster] = []  # one entry per user; Ray knows one connection per process
_sharing = threading.Lock()


def join(config: RayConfig) -> Cluster:
    """Return the connection of this process, made now if there is none; to be given back by `leave`.

    Raises UserError when ray is not installed, and as Cluster.connect does.
    """
    with _sharing:
        if not _shared:
            require_ray()
            cluster = Cluster(config)
            cluster.connect()
            _shared.append(cluster)
        else:
            _shared.append(_shared[0])
        return _shared[0]


def leave(cluster: Cluster) -> None:
    """Give the connection back; the last one to do so ends it, and with it all its actors."""
    with _sharing:
        _shared.remove(cluster)
        if not _shared:
            cluster.close()


def require_ray() -> None:
    """Raises UserError when ray is not installed. Quietens it before its import, which reads the environment."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import ray  # noqa: F401
    except ImportError as e:
        raise UserError(f"executor is ray, but ray cannot be imported ({e}): {INSTALL}") from e
    logging.getLogger("ray").setLevel(logging.ERROR)  # after the import, which sets it


def takes_connections(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), contextlib.closing(socket.create_connection((host, port), NODE_SECONDS)):
        return True
    return False


def probe(address: str) -> None:
    """Raises UserError when nothing listens at host:port; Ray itself would try for long."""
    host, _, port = address.rpartition(":")
    try:
        with contextlib.closing(socket.create_connection((host.strip("[]"), int(port)), PROBE_SECONDS)):
            pass
    except OSError as e:
        raise UserError(
            f"ray.address: nothing answers at {address} ({e}): start the cluster with `ray start --head --port {port}` "
            "there, or set ray.address to null for one on this machine"
        ) from e


def _explained(error: BaseException, address: str | None) -> BaseException:
    """Return Ray's error as one that says what to do, where it is known."""
    text = " ".join(str(error).split())
    if isinstance(error, RuntimeError) and "ersion mismatch" in text:
        return UserError(f"ray.address: the cluster at {address} has another Python or Ray than this process: {text}")
    if isinstance(error, ConnectionError):
        return UserError(
            f"ray.address: no running cluster at {address} ({text}): start one with `ray start --head`, or set "
            "ray.address to null for one on this machine"
        )
    if isinstance(error, Exception):
        return UserError(f"Ray cannot be started ({address or 'on this machine'}): {type(error).__name__}: {text}")
    return error
