"""A program that passes for `vllm`: serves at once or slowly, says why it cannot, dies in the middle, loads adapters.

`stand_in(folder, **behaviour)` makes one beside a `python`; how it was started and what it was asked are in `events`.
Behaviour: `delay` before it listens, `fails` at the start, `hangs` (listens and says nothing), `dies_after` so many
answers in all, `again` also when it is started anew, `adapters` that it can load, `stubborn` against SIGTERM.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

PROGRAM = r"""
import json, os, signal, subprocess, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).parent
TOLD = json.loads((HERE / "told.json").read_text())
words = sys.argv[1:]
option = {word: words[i + 1] for i, word in enumerate(words[:-1]) if word.startswith("--")}
lock, turn = threading.Lock(), threading.Lock()

def note(**row):
    with lock, open(HERE / "events.jsonl", "a") as file:
        file.write(json.dumps(row) + "\n")

core = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
if TOLD.get("stubborn"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
note(started=words, pid=os.getpid(), core=core.pid)
print("INFO loading", flush=True)
time.sleep(TOLD.get("delay", 0))
if TOLD.get("fails"):
    sys.stderr.write(TOLD["fails"])
    sys.exit(1)
starts = sum("started" in line for line in (HERE / "events.jsonl").read_text().splitlines())
left = [TOLD.get("dies_after", -1) if starts == 1 or TOLD.get("again") else -1]
names = {option["--served-model-name"]: words[1]}
if "--lora-modules" in option:
    name, _, path = option["--lora-modules"].partition("=")
    names[name] = path

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, row):
        body = json.dumps(row).encode() if not isinstance(row, str) else row.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if TOLD.get("hangs"):
            time.sleep(600)
        if self.path == "/v1/models":
            return self.reply(200, {"data": [{"id": name, "root": root} for name, root in names.items()]})
        self.reply(200 if self.path == "/health" else 404, "")

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        note(path=self.path, body=body)
        if self.path.endswith("_lora_adapter"):
            return self.adapter(body)
        if body["model"] not in names:
            return self.reply(404, {"error": {"message": "The model does not exist", "code": 404}})
        with turn:  # what was answered before a death has left
            left[0] -= 1
            if left[0] == -1:
                print("EngineCore ERROR RuntimeError: CUDA error: an illegal address", flush=True)
                print("EngineDeadError: EngineCore encountered an issue. See root cause above.", flush=True)
                os._exit(7)
            self.complete(body)

    def complete(self, body):
        prompt = body["prompt"] if "prompt" in body else body["messages"][0]["content"]
        text = f"{names[body['model']]} {prompt} {body['seed']}"
        made = {"text": text} if "prompt" in body else {"message": {"role": "assistant", "content": text}}
        choice = {"index": 0, "finish_reason": "stop", **made}
        self.reply(200, {"choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 5}})

    def adapter(self, body):
        name, able = body["lora_name"], TOLD.get("adapters")
        if able is None:
            return self.reply(404, {"detail": "Not Found"})
        if self.path == "/v1/unload_lora_adapter":
            return self.reply(200 if names.pop(name, None) else 404, "Success")
        if name in names:
            return self.reply(400, {"error": {"message": f"The lora adapter '{name}' has already been loaded."}})
        if not any(part in body["lora_path"] for part in able):
            return self.reply(400, {"error": {"message": "LoRA rank 64 is greater than max_lora_rank 16."}})
        names[name] = body["lora_path"]
        self.reply(200, f"Success: LoRA adapter '{name}' added successfully.")

ThreadingHTTPServer((option["--host"], int(option["--port"])), Handler).serve_forever()
"""


def stand_in(folder: Path, **behaviour: Any) -> Path:
    """Return the python beside which a program `vllm` lies."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "python").symlink_to(sys.executable)
    program = folder / "vllm"
    program.write_text(f"#!{sys.executable}\n{PROGRAM}")
    program.chmod(0o755)
    tell(folder, **behaviour)
    return folder / "python"


def tell(folder: Path, **behaviour: Any) -> None:
    (folder / "told.json").write_text(json.dumps(behaviour))


def events(folder: Path) -> list[dict[str, Any]]:
    path = folder / "events.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
