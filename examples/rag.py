"""Answer questions from a folder of your own: index it, retrieve passages, build a prompt, ask a language model.

    python examples/rag.py ~/notes "what keeps prices stable"

Without a question it reads them from stdin, one a line. Without a model it prints the prompts, so that it works offline. With
OPENAI_BASE_URL, the address of anything that speaks OpenAI's protocol (Ollama, llama.cpp, vLLM, OpenAI itself), it asks that;
OPENAI_MODEL names the model, OPENAI_API_KEY is sent where it is set.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypedDict
from urllib.request import Request, urlopen

import vecsearch

PROMPT = """Answer the question from the sources alone, and cite them as [1], [2]. If they do not answer it, say so.

{sources}

Question: {question}"""


class Message(TypedDict):
    """One turn of a conversation."""

    role: str
    content: str


class Choice(TypedDict):
    """One answer of a model."""

    message: Message


class Reply(TypedDict):
    """What a model answers by OpenAI's protocol."""

    choices: list[Choice]


def show_prompt(prompt: str) -> str:
    """Return the prompt itself."""
    return prompt


def ask_model(prompt: str) -> str:
    """Return what the model at OPENAI_BASE_URL answers."""
    body = {"model": os.environ.get("OPENAI_MODEL", "default"), "messages": [{"role": "user", "content": prompt}]}
    headers = {"Content-Type": "application/json"}
    if "OPENAI_API_KEY" in os.environ:
        headers["Authorization"] = f"Bearer {os.environ['OPENAI_API_KEY']}"
    url = f"{os.environ['OPENAI_BASE_URL'].rstrip('/')}/chat/completions"
    with urlopen(Request(url, json.dumps(body).encode(), headers), timeout=300) as response:
        reply: Reply = json.loads(response.read())
    return reply["choices"][0]["message"]["content"]


def answer_questions(folder: Path, questions: Iterable[str], answer: Callable[[str], str]) -> None:
    """Index a folder and print the answer to each question, by any function from a prompt to a text, with its sources."""
    with vecsearch.open(folder / ".vecsearch") as notes:
        report = notes.index(folder)
        print(f"{report.documents} documents, {report.added} new", file=sys.stderr)
        for question in questions:
            context = notes.context(question, max_tokens=600, min_similarity="auto")
            if not context.passages:
                print(f"nothing here answers: {question}")
                continue
            print(answer(PROMPT.format(sources=context, question=question)))
            for number, source in enumerate(context.sources, start=1):
                print(f"[{number}] {source.source or source.id}")


def main() -> None:
    """Take the folder and the question from the command line."""
    folder, *questions = sys.argv[1:] or ["."]
    lines: Iterable[str] = (line.strip() for line in sys.stdin if line.strip())
    answer_questions(Path(folder), questions or lines, ask_model if "OPENAI_BASE_URL" in os.environ else show_prompt)


if __name__ == "__main__":
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:  # such as `| head`: whoever reads has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left in the buffer goes nowhere
