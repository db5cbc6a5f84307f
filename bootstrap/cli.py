"""The command line of the loop: start, resume, restart from an iteration, debug."""

from __future__ import annotations

import argparse
import datetime as dt
import logging
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from bootstrap.config import RunConfig, changed_keys, debug_overrides, load_config, parse_overrides
from bootstrap.engines import check_engine_name
from bootstrap.errors import UserError
from bootstrap.files import disk_error, read_json
from bootstrap.machine import check_gpus, check_vllm_environment, check_vllm_server, facts_of, refuse_other_facts
from bootstrap.programs import INTERRUPTED, USER_ERROR, stop_on_signals
from bootstrap.run_store import FORMAT, RunStore
from bootstrap.sources import load_source
from bootstrap.tasks import require_tasks
from interpreters import INTERPRETERS, load_interpreter
from interpreters.base import InterpreterError
from interpreters.sandbox import level_of

PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "vllm", "polars", "duckdb", "wandb")
FLAGS = {
    "base_model": "base_model", "target": "target", "max_iterations": "max_iterations", "train_steps": "train.steps",
    "learning_rate": "train.learning_rate", "target_problems": "target_problems", "sandbox": "checking.sandbox",
}  # fmt: skip
"""Flag -> the configuration key that it sets."""

OUTPUTS = Path("outputs")

log = logging.getLogger(__name__)

DESCRIPTION = """Teach a language model a language from its own solutions, verified by an interpreter.

  python bootstrap_loop.py --config configs/demo.yaml
  python bootstrap_loop.py --config configs/demo.yaml --resume
  python bootstrap_loop.py --config configs/demo.yaml --resume-iteration 3 train.learning_rate=1.0e-4
"""


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("overrides", nargs="*", metavar="key=value", help="any key of the configuration, e.g. sampling.waves=[4,4]")
    add("--config", type=Path, help="YAML of the experiment (default with --resume: the run's own)")
    add("--run-name", help="folder under --output-dir (default: the configuration's file name)")
    add("--output-dir", type=Path, default=OUTPUTS, help="where runs lie (%(default)s)")
    add("--base-model", help="path or hub name of the model to start from")
    add("--target", help=f"interpreter of the target language: {', '.join(INTERPRETERS)}")
    add("--max-iterations", type=int, help="stop after so many iterations")
    add("--train-steps", type=int, help="optimizer steps per iteration")
    add("--learning-rate", type=float, help="peak learning rate")
    add("--target-problems", type=int, help="stop when so many train problems are solved")
    add("--sandbox", choices=("required", "unsafe"),
        help="unsafe: check candidates even where they could read files or reach a network")  # fmt: skip
    add("--no-wandb", action="store_true", help="leave Weights & Biases alone (offline is the default)")
    add("--debug", action="store_true", help="a handful of problems and one iteration, in under a minute")
    add("--resume", action="store_true", help="go on with the run at the first unfinished batch (or start it)")
    add("--resume-iteration", type=int, metavar="N",
        help="start again at iteration N with the best model before it; later ones are moved to aside/")  # fmt: skip
    return parser


def collect_overrides(args: argparse.Namespace) -> dict[str, Any]:
    """Return dotted key -> value from --debug, the flags and the key=value words; later ones win."""
    overrides = {key: getattr(args, flag) for flag, key in FLAGS.items() if getattr(args, flag) is not None}
    if args.no_wandb:
        overrides["wandb.mode"] = "disabled"
    overrides |= parse_overrides(args.overrides)
    if args.debug and args.config:
        overrides = debug_overrides(load_config(args.config, overrides)) | overrides
    return overrides


def find_store(args: argparse.Namespace) -> RunStore:
    """Return the run's folder, by --run-name or the configuration's name."""
    if args.run_name is None and args.config is None:
        raise UserError("give --config FILE (see configs/), or --run-name NAME with --resume")
    name = args.run_name or args.config.stem
    if args.debug and args.run_name is None:
        name = f"{name}-debug-{dt.datetime.now():%Y%m%d-%H%M%S}"
    return RunStore(args.output_dir / name)


def resolve(args: argparse.Namespace, store: RunStore) -> RunConfig:
    """Return the configuration of a new or a resumed run.

    Raises UserError for a run that exists already, or a changed setting that its finished stages rest on.
    """
    overrides = collect_overrides(args)
    resuming = args.resume or args.resume_iteration is not None
    if not store.exists:
        if args.config is None or args.resume_iteration is not None:
            raise UserError(f"there is no run in {store.root} to resume")
        return load_config(args.config, overrides)
    if not resuming:
        raise UserError(f"{store.root} holds a run: add --resume to go on with it, or choose another --run-name")
    old = store.config()
    new = load_config(args.config, overrides, old.model_dump(mode="json"))
    if args.resume_iteration is None:
        refuse_changes(changed_keys(old, new), store)
    else:
        refuse_restart(args.resume_iteration, store)
        kept = {
            k: v for k, v in changed_keys(old, new).items() if not k.startswith(("sampling.", "train.", "dataset."))
        }
        refuse_changes(kept, store)
    return new


def refuse_restart(iteration: int, store: RunStore) -> None:
    """Raise UserError unless every iteration before this one is there to go on from."""
    finished = [i for i, path in enumerate(store.iterations()) if store.stage(path, "EVALUATE") is not None]
    if not 1 <= iteration <= len(finished):
        possible = f"1 to {len(finished)}" if finished else "none: its iteration 0 is not finished, use --resume"
        raise UserError(f"--resume-iteration {iteration}: {store.root} can start again at {possible}")


def refuse_changes(changed: Mapping[str, tuple[Any, Any]], store: RunStore) -> None:
    if changed:
        listed = "; ".join(f"{key}: was {old!r}, now {new!r}" for key, (old, new) in changed.items())
        raise UserError(
            f"{store.root} was made with other settings ({listed}). Its finished stages rest on them: resume with the "
            "old ones (leave --config away), or choose another --run-name"
        )


def check_machine(config: RunConfig) -> tuple[str, str]:
    """Return the target's language and the sandbox's line; raise before anything is written when the run cannot work
    here."""
    lines = []
    for target in config.targets:
        with load_interpreter(target, config.checking.sandbox) as interpreter:
            reason = interpreter.available()
            if reason:
                raise UserError(f"the interpreter {target} is not available: {reason}")
            lines.append((interpreter.language, interpreter.sandbox()))
    if len({language for language, _ in lines}) != len(lines):
        raise UserError(f"other_targets: {', '.join(config.targets)} are two interpreters of one language: keep one")
    found = " and ".join(language for language, _ in lines), min((line for _, line in lines), key=sandbox_rank)
    check_engine_name(config.engine.name)
    load_source(config.source.name, config.source.options, config.seed)  # refuses unknown names
    require_tasks(config.dataset.tasks)
    if config.engine.name == "vllm":
        check_vllm_environment(config.engine.python)
    if config.engine.name == "vllm_server":
        check_vllm_server(config)
    if config.engine.name == "transformers" and config.base_model is not None:
        from bootstrap.engines.transformers_engine import check_model

        check_model(config.base_model)
    check_gpus(config)
    return found


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_commit() -> str | None:
    """Return the project's commit, with + when the tree differs from it; None outside a git checkout."""
    root = Path(__file__).resolve().parent.parent
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True)
        dirty = subprocess.run(["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.stdout.strip() + ("+" if dirty.stdout.strip() else "")


def resume_command(store: RunStore) -> str:
    """Return the command line that goes on with this run, from the project's root."""
    place = "" if store.root.parent == OUTPUTS else f" --output-dir {shlex.quote(str(store.root.parent))}"
    return f"python bootstrap_loop.py --run-name {shlex.quote(store.name)}{place} --resume"


def start_folder(store: RunStore, config: RunConfig, language: str, sandbox: str, facts: Mapping[str, str]) -> None:
    """Write what a run's folder says of itself; `created` and the first commit are kept when it is resumed."""
    now = f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
    row = {
        "format": FORMAT, "run": store.name, "target": " and ".join(config.targets), "language": language,
        "base_model": config.base_model or "from scratch", "created": now,
        "versions": versions(), "git_commit": git_commit(), "sandbox": sandbox,
        "settings": config.model_dump(mode="json"),
        "resume_command": resume_command(store), **({"facts": dict(facts)} if facts else {}),
    }  # fmt: skip
    if store.run_file.exists():
        warn_of_lower_sandbox(store.run_row().get("sandbox", ""), sandbox)
        row |= {key: value for key, value in store.run_row().items() if key in ("created", "git_commit")}
    store.write_run(row)
    store.write_config(config.model_dump(mode="json"))


def sandbox_rank(line: str) -> int:
    """Return the level that a sandbox's line names, -1 where it names none: the weakest speaks for the run."""
    level = level_of(line)
    return -1 if level is None else level


def warn_of_lower_sandbox(before: str, now: str) -> None:
    was, level = level_of(before), level_of(now)
    if was is not None and level is not None and level < was:
        log.warning("the sandbox is weaker than it was when this run began. Before: %s. Now: %s", before, now)


def set_up_logging(store: RunStore) -> None:
    """Log to bootstrap.log and, shorter, to the terminal."""
    logging.raiseExceptions = False  # a full disk must not turn every log line into a traceback
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    file = logging.FileHandler(store.log_file, encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    terminal.addFilter(lambda record: not record.getMessage().startswith("start "))
    root.handlers = [file, terminal]


def run(args: argparse.Namespace, store: RunStore) -> None:
    from bootstrap.loop import Loop
    from bootstrap.screen import Screen
    from bootstrap.tracking import Tracker

    config = resolve(args, store)
    language, sandbox = check_machine(config)
    facts = facts_of(config)
    if store.run_file.exists():
        before = store.run_row().get("facts", {})
        refuse_other_facts(before, facts, config)
        facts = {**before, **facts}
    store.lock()
    set_up_logging(store)
    if args.resume_iteration is not None and store.exists:
        for path in store.move_aside(args.resume_iteration):
            log.info("moved aside: %s", path)
    start_folder(store, config, language, sandbox, facts)
    log.info("run %s, target %s, %s", store.root, " and ".join(config.targets), sandbox)
    if store.stage(store.final, "REPORT") is not None:
        log.info("this run has ended already; it goes on only if --max-iterations or --target-problems is raised")
    settings = {**config.model_dump(mode="json"), "sandbox": sandbox}
    tracker = Tracker(store.root, store.name, settings, config.wandb.mode, config.wandb.project)
    screen = Screen()
    try:
        with Loop(store, config, screen, tracker) as loop:
            reason = loop.run()
    finally:
        tracker.close()
    log.info("stopped: %s", reason)
    screen.final(read_json(store.final_report_file))
    screen.say(f"report: {store.root / 'report.html'}   figures: {store.final_report_file}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status (0, 2 for an error in one sentence, 130 after Ctrl-C)."""
    args = make_parser().parse_intermixed_args(argv)
    stop_on_signals()
    try:
        store = find_store(args)
    except UserError as e:
        log.error("error: %s", e)
        return USER_ERROR
    try:
        run(args, store)
    except (UserError, InterpreterError) as e:
        log.error("error: %s", e)
        return USER_ERROR
    except OSError as e:
        log.error("error: %s", disk_error(Path(e.filename or "a file of the run"), e))
        return USER_ERROR
    except KeyboardInterrupt:
        print(f"\nstopped; nothing finished is lost. Go on with: {resume_command(store)}", file=sys.stderr)
        return INTERRUPTED
    return 0
