"""Each of examples/ is run for real, on small data, and gives no Any of vecsearch's to a type checker."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from shutil import which
from threading import Thread
from typing import Any

import pytest

import vecsearch
from tests.conftest import PROJECT, SAMPLE_DATA

EXAMPLES = PROJECT / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
OTHERS = re.compile(  # lines whose Any is that of json, sys, NumPy, FastAPI or pandas
    r"json\.|urlopen|sys\.stdin|@app\.|JSONResponse|crc32|np\.ndarray|astype"
)


def run_example(name: str, *arguments: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run an example as `python examples/NAME ARGUMENTS` does, in this process, where the model is loaded already."""
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


@pytest.fixture
def notes_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    for path in sorted((SAMPLE_DATA / "docs/finance").iterdir()):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@contextmanager
def serve_model(bodies: list[dict[str, Any]]) -> Iterator[str]:
    """Answer as a language model does by OpenAI's protocol; what it was asked goes into `bodies`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append({"path": self.path, **json.loads(self.rfile.read(int(self.headers["Content-Length"])))})
            reply = json.dumps({"choices": [{"message": {"role": "assistant", "content": "The bank does [1]."}}]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
            thread.join()


def test_the_rag_loop_prints_prompts_without_a_model_and_asks_one_where_there_is(
    notes_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    question = "what does a central bank do against inflation"
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    run_example("rag.py", notes_folder, question, monkeypatch=monkeypatch)
    printed = capsys.readouterr().out
    assert "from the sources alone" in printed and f"Question: {question}" in printed and "central-banks.txt" in printed
    bodies: list[dict[str, Any]] = []
    with serve_model(bodies) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{question}\n\n"))
        run_example("rag.py", notes_folder, monkeypatch=monkeypatch)
    printed, told = capsys.readouterr()
    assert printed.startswith("The bank does [1].\n[1] ") and "0 new" in told
    (body,) = bodies
    assert body["path"] == "/v1/chat/completions" and body["messages"][0]["content"].endswith(f"Question: {question}")


def test_the_rag_loop_ends_quietly_when_its_reader_has_enough(notes_folder: Path) -> None:
    with vecsearch.open(notes_folder / ".vecsearch") as notes:
        notes.index(notes_folder)
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    environment.pop("OPENAI_BASE_URL", None)
    command = [sys.executable, str(EXAMPLES / "rag.py"), str(notes_folder), "what does a central bank do"]
    result = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    os.close(writer)
    assert result.returncode == 0 and " 0 new" in result.stderr
    assert "Traceback" not in result.stderr and "BrokenPipe" not in result.stderr


def test_the_web_application_stores_searches_and_explains(tmp_path: Path) -> None:
    pytest.importorskip("fastapi", reason="fastapi is not installed")
    from fastapi.testclient import TestClient

    app = runpy.run_path(str(EXAMPLES / "web_app.py"))["create_app"](str(tmp_path / "web.vec"))
    lamps = [
        {"id": "glow", "text": "a desk lamp whose light can be dimmed", "metadata": {"category": "office", "price": 59}},
        {"id": "brew", "text": "a glass jug for coffee", "title": "Brew", "metadata": {"category": "kitchen"}},
    ]
    with TestClient(app) as client:
        assert client.post("/documents", json=lamps).json() == ["glow", "brew"]
        hits = client.get("/search", params={"q": "a light for reading", "limit": 1}).json()
        assert [hit["id"] for hit in hits] == ["glow"] and set(hits[0]) == {"id", "title", "text", "score", "weak"}
        hits = client.get("/search", params={"q": "a light for reading", "category": "kitchen"}).json()
        assert [(hit["id"], hit["title"]) for hit in hits] == [("brew", "Brew")]
        refused = client.get("/search", params={"q": "light", "limit": 0})
        assert refused.status_code == 422 and "limit must be a whole number" in refused.json()["detail"]
    with vecsearch.open(tmp_path / "web.vec", create=False) as notes:
        assert notes.get("glow")[0].metadata == {"category": "office", "price": 59.0}


def test_vectors_of_one_s_own_are_stored_and_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        run_example("own_vectors.py", tmp_path / "recipes.vec", monkeypatch=monkeypatch)
        lines = capsys.readouterr().out.splitlines()
        assert re.fullmatch(r"by vector: soup 0\.\d+", lines[0])
        assert lines[1:] == ["by words and vector: omelette", "by words: bread", "stored: (1, 256)"]


def test_a_table_of_pandas_is_stored_filtered_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    for new in (4, 0):
        run_example("data_frame.py", tmp_path / "products.vec", monkeypatch=monkeypatch)
        first, head, answer, newest = capsys.readouterr().out.splitlines()
        assert (first, head.split()) == (f"4 rows, {new} of them new", ["id", "title", "score"])
        assert answer.split()[:2] == ["A-2", "Trail"] and newest == "newest: A-4"
    with vecsearch.open(tmp_path / "products.vec") as products:
        assert products.get("A-4")[0].metadata == {"category": "kitchen", "since": "2024-05-20T00:00:00"}


def test_the_notebook_runs_and_what_its_cells_end_with_shows_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((EXAMPLES / "notebook.ipynb").read_text(encoding="utf-8"))
    names: dict[str, Any] = {}
    shown = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
            *statements, last = ast.parse("".join(cell["source"])).body
            assert isinstance(last, ast.Expr)
            exec(compile(ast.Module(statements, []), "<cell>", "exec"), names)
            shown.append(eval(compile(ast.Expression(last.value), "<cell>", "eval"), names))
    stored, hits, hit, context, _ = shown
    assert stored == ["heron", "seals", "bank"]
    assert "<table>" in hits._repr_html_() and hits[0].id == "heron"
    assert hit.id == "seals" and "interest rate" in context._repr_markdown_()


@pytest.mark.slow
def test_mypy_finds_no_any_of_vecsearch_in_the_examples() -> None:
    for library in ("fastapi", "pandas"):
        pytest.importorskip(library, reason=f"{library} is not installed")
    command = [sys.executable, "-m", "mypy", "--strict", "--disallow-any-expr", *map(str, SCRIPTS)]
    result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    found = re.findall(r"^examples/(\w+\.py):(\d+): error: (.*)$", result.stdout, re.MULTILINE)
    assert found and len(found) == result.stdout.count(" error: "), result.stdout + result.stderr
    lines = {path.name: path.read_text(encoding="utf-8").splitlines() for path in SCRIPTS}
    assert [error for error in found if not OTHERS.search(lines[error[0]][int(error[1]) - 1])] == []


@pytest.mark.slow
def test_pyright_accepts_the_examples_in_its_strict_mode(tmp_path: Path) -> None:
    """Run pyright, which fetches Node where there is none; `make types` installs it."""
    pyright = which("pyright", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if pyright is None:
        pytest.skip("pyright is not installed: make types")
    for script in SCRIPTS:
        (tmp_path / script.name).write_bytes(script.read_bytes())
    (tmp_path / "wrong.py").write_text('import vecsearch\n\nvecsearch.open("x").search("y", mode="semantic")\n')
    settings = {"typeCheckingMode": "strict", "pythonVersion": "3.11", "extraPaths": [str(PROJECT)]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [pyright, "--project", str(tmp_path), "--pythonpath", sys.executable, "--outputjson"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads(result.stdout)
    errors = [(Path(each["file"]).name, each["message"]) for each in report["generalDiagnostics"] if each["severity"] == "error"]
    assert {file for file, _ in errors} == {"wrong.py"}, errors
    assert report["summary"]["filesAnalyzed"] == len(SCRIPTS) + 1
