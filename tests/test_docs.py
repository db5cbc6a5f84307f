"""The documents for people: what they name is there, what they tell you to type is understood, and they stay short."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from support import ROOT

from bootstrap.cli import collect_overrides, make_parser
from bootstrap.config import load_config

DOCUMENTS = [path for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md") if (path := ROOT / name).exists()]
LONGEST = {"README.md": 300, "CONTRIBUTING.md": 60, "Makefile": 40}
every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


@pytest.fixture(scope="module")
def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def fenced(text: str) -> list[str]:
    return re.findall(r"^[ \t]*```[^\n]*\n(.*?)^[ \t]*```", text, re.DOTALL | re.MULTILINE)


def code_of(text: str) -> str:
    """Return what stands in fenced blocks and in inline code, backslash-continued lines joined."""
    prose = re.sub(r"^[ \t]*```[^\n]*\n.*?^[ \t]*```", "", text, flags=re.DOTALL | re.MULTILINE)
    return "\n".join([*fenced(text), *re.findall(r"`([^`\n]+)`", prose)]).replace("\\\n", " ")


def loop_commands(text: str) -> list[list[str]]:
    """Return the words after `bootstrap_loop.py` of every command line in the text."""
    found = []
    for line in code_of(text).splitlines():
        before, _, after = line.partition("bootstrap_loop.py ")
        if after and re.search(r"(^|\s)(\S*python[\d.]*|launch)\s+$", before):
            words = shlex.split(after, comments=True)
            end = next((i for i, word in enumerate(words) if word in ("|", "&", "&&", ";", ">")), len(words))
            found.append(words[:end])
    return found


def tree_paths(text: str) -> list[Path]:
    """Return the paths of the annotated tree: the block of which a line starts with the launch point."""
    blocks = [block for block in fenced(text) if re.search(r"^[│├└─ ]*bootstrap_loop\.py(\s|$)", block, re.MULTILINE)]
    assert len(blocks) == 1, "README needs one annotated tree that names bootstrap_loop.py"
    found: list[Path] = []
    folders: list[tuple[int, Path]] = []  # indentation, folder
    for line in blocks[0].splitlines():
        plain = re.sub(r"[│├└─]", " ", line)
        indent = len(plain) - len(plain.lstrip())
        names = [name for name in re.split(r"[,\s]+", re.split(r"\s{2,}|\s#", plain.strip())[0]) if name]
        if indent >= 16 or not names or not all(re.search(r"[./]|^[A-Z]\w+$", name) for name in names):
            continue  # an annotation goes on
        folders = [(depth, folder) for depth, folder in folders if depth < indent]
        parent = folders[-1][1] if folders else ROOT
        found += [parent / name for name in names]
        if names[0].endswith("/"):
            folders.append((indent, parent / names[0]))
    return found


def test_every_flag_of_the_loop_is_in_the_readme(readme: str) -> None:
    flags = set(re.findall(r"--[a-z][a-z-]+", make_parser().format_help())) - {"--help"}
    assert len(flags) > 10
    assert [flag for flag in sorted(flags) if not re.search(rf"{flag}(?![\w-])", readme)] == []


def test_every_path_of_the_annotated_tree_exists(readme: str) -> None:
    paths = tree_paths(readme)
    assert len(paths) >= 8
    assert [str(path.relative_to(ROOT)) for path in paths if not path.exists()] == []


def test_the_annotated_tree_names_every_package(readme: str) -> None:
    named = {path.relative_to(ROOT).parts[0] for path in tree_paths(readme)}
    assert {"bootstrap", "sft", "eval", "interpreters", "configs", "tests"} <= named


@every_document
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?<![\w-])make ([a-z][\w-]*)", code_of(document.read_text(encoding="utf-8"))))
    assert named <= targets


def test_the_readme_names_the_two_commands_that_need_nothing(readme: str) -> None:
    assert {"demo", "test"} <= set(re.findall(r"(?<![\w-])make ([a-z][\w-]*)", code_of(readme)))


@every_document
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = re.findall(r"\]\(<?([^)\s>]+)", text) + re.findall(r"(?:src|href)=\"([^\"]+)\"", text)
    local = [link.partition("#")[0] for link in links if not re.match(r"[a-z]+:|#", link)]
    assert [link for link in local if not (document.parent / link).exists()] == []


@every_document
def test_every_configuration_that_is_named_exists(document: Path) -> None:
    named = set(re.findall(r"configs/[\w./-]+\.ya?ml", document.read_text(encoding="utf-8")))
    assert sorted(name for name in named if not (ROOT / name).is_file()) == []


@every_document
def test_every_program_that_is_to_be_run_exists(document: Path) -> None:
    code = code_of(document.read_text(encoding="utf-8"))
    files = {ROOT / name for name in re.findall(r"python[\d.]* ([\w./-]+\.py)\b", code)}
    modules = re.findall(r"-m ((?:bootstrap|eval|interpreters|sft)\.[\w.]+)", code)
    paths = [ROOT / name.replace(".", "/") for name in modules]
    files |= {path / "__main__.py" if path.is_dir() else path.with_suffix(".py") for path in paths}
    assert sorted(str(path) for path in files if not path.is_file()) == []


@every_document
def test_every_command_of_the_loop_is_understood(document: Path) -> None:
    for words in loop_commands(document.read_text(encoding="utf-8")):
        args = make_parser().parse_intermixed_args(words)
        if args.config is not None:
            args.config = ROOT / args.config
            load_config(args.config, collect_overrides(args))


def test_the_readme_shows_how_to_start_and_how_to_go_on(readme: str) -> None:
    words = [word for command in loop_commands(readme) for word in command]
    assert {"--config", "--resume", "--resume-iteration", "--debug"} <= set(words)


@pytest.mark.parametrize("name", LONGEST)
def test_documents_stay_short(name: str) -> None:
    assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= LONGEST[name]
