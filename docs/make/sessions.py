"""The blocks of a page, run in their order in a home folder of their own, and the output that they give there.

`console` blocks show commands and what they print; `sh` blocks are commands that succeed, or that set up a machine, of which
only the targets and modules are looked up; `python` blocks run, `pycon` blocks give what they show.
"""

from __future__ import annotations

import doctest
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

PROJECT: Final = Path(__file__).parents[2]
INDEXED: Final = "<!-- indexed -->"  # begins a page whose home is indexed already
INSTALLERS: Final = frozenset({"pip", "uv", "uvx", "pipx", "make", "git", "python", "cd", "apt-get", "."})
_BLOCK: Final = re.compile(r"^```(console|sh|python|pycon)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_STEP: Final = re.compile(r"^\$ (.*(?:\\\n.*)*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code of a page: its kind, its text, and where the text stands in the page."""

    kind: str
    text: str
    start: int


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a console block and what the page says that it prints."""

    command: str
    shown: str


@dataclass(slots=True)
class Session:
    """A home folder, and the names of Python, that the blocks of a page share."""

    home: Path
    names: dict[str, Any] = field(default_factory=dict)

    def run_steps(self, block: Block) -> Iterator[tuple[Step, str]]:
        """Run the commands of a console block; yield each with what it prints."""
        for step in parse_steps(block.text):
            yield step, self.run_line(step.command)[1]

    def run_commands(self, block: Block) -> None:
        """Run the commands of an `sh` block. Raises RuntimeError where one fails or names what is not there."""
        if "vecsearch " not in block.text and not is_setup(block.text):
            subprocess.run(["sh", "-ec", block.text], cwd=self.home, check=True)
            return
        for line in block.text.replace("\\\n", " ").splitlines():
            command = line.split(" #")[0].strip()
            if not command or command.startswith("#"):
                continue
            if is_setup(command):
                check_setup(command)
            else:
                status, output = self.run_line(command)
                if status != 0:
                    raise RuntimeError(f"{command}\n{output}")

    def run_line(self, line: str) -> tuple[int, str]:
        """Run a command line, `vecsearch` in this process; return the exit status and what a terminal would show."""
        status, output, messages = 0, b"", b""
        for stage in re.split(r" \| ", line.replace("\\\n", " ")):
            command, _, target = stage.partition(" > ")
            words = [str(Path(word).expanduser()) if word.startswith("~") else word for word in shlex.split(command)]
            if words[0] == "vecsearch":
                status, output, said = run_vecsearch(words[1:], output)
                messages += said
            else:
                result = subprocess.run(["sh", "-c", command], cwd=self.home, input=output, capture_output=True, check=False)
                status, output = result.returncode, result.stdout + result.stderr
            if target:
                Path(target).expanduser().write_bytes(output)
                output = b""
        text = (output + messages).decode()
        return status, text.replace(str(self.home), "~").strip("\n")

    def run_python(self, block: Block) -> None:
        """Run a block of Python."""
        exec(compile(block.text, "page", "exec"), self.names)

    def run_examples(self, block: Block) -> int:
        """Run a Python session; return how many of its examples give something else than they show."""
        test = doctest.DocTestParser().get_doctest(block.text, self.names, "page", None, 0)
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        failed = runner.run(test, clear_globs=False).failed
        self.names = test.globs
        return failed


def parse_blocks(page: str) -> list[Block]:
    """Find the blocks of a page that are run, in their order."""
    return [Block(match[1], match[2], match.start(2)) for match in _BLOCK.finditer(page)]


def parse_steps(text: str) -> list[Step]:
    """Find the commands of a console block, each with what follows it."""
    return [Step(match[1], match[2].strip("\n")) for match in _STEP.finditer(text)]


def is_setup(text: str) -> bool:
    """Say whether all these command lines set up a machine, or are run by the project's own targets."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return all(line.split()[0] in INSTALLERS for line in lines)


def check_setup(command: str) -> None:
    """Look up what a set-up command names: a target of the Makefile, a module. Raises RuntimeError where it is not there."""
    words = shlex.split(command)
    if words[0] == "make" and not re.search(rf"^{re.escape(words[1])}:", (PROJECT / "Makefile").read_text(), re.MULTILINE):
        raise RuntimeError(f"no such target: {command}")
    for package in ("benchmarks", "tests", "docs"):
        for name in re.findall(rf"-m ({package}\.[\w.]+)", command):
            path = PROJECT / name.replace(".", "/")
            if not path.with_suffix(".py").exists() and not (path / "__main__.py").exists():
                raise RuntimeError(f"no such module: {command}")


def run_vecsearch(arguments: Sequence[str], stdin: bytes) -> tuple[int, bytes, bytes]:
    """Run the shell's command in this process; return its exit status, its stdout and its stderr."""
    from vecsearch.interfaces.cli import main

    out, err = io.BytesIO(), io.BytesIO()
    kept = sys.argv, sys.stdin, sys.stdout, sys.stderr
    sys.argv, sys.stdin = ["vecsearch", *arguments], io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(out, encoding="utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(err, encoding="utf-8", write_through=True)
    try:
        status = main.run()
        return status, out.getvalue(), err.getvalue()
    finally:
        sys.stdout.detach()
        sys.stderr.detach()
        sys.argv, sys.stdin, sys.stdout, sys.stderr = kept


def make_home(folder: Path) -> None:
    """Lay out a home: a folder of notes, lists of products and of words, and labelled questions."""
    sample = PROJECT / "sample_data"
    shutil.copytree(sample / "docs", folder / "notes")
    shutil.copytree(PROJECT / "docs/make/home", folder, dirs_exist_ok=True)
    shutil.copy(sample / "words.txt", folder / "words.txt")
    shutil.copytree(sample / "eval", folder / "eval")


@contextmanager
def at_home(folder: Path) -> Iterator[Session]:
    """Work in the folder as in a user's home; prepared models stay where they are."""
    from vecsearch import load_encoder
    from vecsearch.core.cache_folders import CACHE_VARIABLE, create_private_folder, get_cache_folder

    load_encoder()  # from where its files will still be when this home is gone
    here, kept, models, cache = Path.cwd(), dict(os.environ), get_cache_folder("models"), folder / ".cache"
    create_private_folder(models)
    cache.mkdir()
    (cache / "models").symlink_to(models.resolve())  # prepared once for all; the last search is the session's own
    os.environ.update({CACHE_VARIABLE: str(cache), "HOME": str(folder), "COLUMNS": "80", "HF_HUB_OFFLINE": "1"})
    os.environ.pop("VECSEARCH_DB", None)
    os.chdir(folder)
    try:
        yield Session(folder)
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(kept)


def refresh_page(page: str, session: Session) -> str:
    """Run a page's blocks, and return it with what its console blocks print now."""
    parts, end = [], 0
    for block in parse_blocks(page):
        match block.kind:
            case "console":
                shown = "\n\n".join(f"$ {step.command}\n{output}".rstrip() for step, output in session.run_steps(block))
                parts += [page[end : block.start], shown + "\n"]
                end = block.start + len(block.text)
            case "sh":
                session.run_commands(block)
            case "python":
                session.run_python(block)
            case _:
                session.run_examples(block)
    return "".join([*parts, page[end:]])
