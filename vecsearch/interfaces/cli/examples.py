"""What the help of each command ends with: how it is typed; and what the help of all ends with: the environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

EXAMPLES: Final[Mapping[str, tuple[str, ...]]] = {
    "index": ("vecsearch index ~/papers notes.md", "vecsearch index src --include '*.py' -c code"),
    "watch": ("vecsearch watch ~/notes", "vecsearch watch . --exclude build/"),
    "roots": ("vecsearch roots", "vecsearch roots --json"),
    "roots list": ("vecsearch roots list", "vecsearch roots list -c papers"),
    "roots forget": ("vecsearch roots forget ~/papers", "vecsearch roots forget ~/papers -c papers"),
    "roots unignore": ("vecsearch roots unignore old.md", "vecsearch roots unignore old.md new.md"),
    "delete": ("vecsearch delete old.md", "vecsearch delete --where 'year<2020' --dry-run"),
    "optimize": ("vecsearch optimize", "vecsearch optimize --full -c papers"),
    "reembed": ("vecsearch reembed --model ./my-model -c papers", "vecsearch reembed"),
    "search": (
        "vecsearch search birds that migrate",
        "vecsearch search '\"exact words\"' --where 'year>=2020' -n 5",
        "vecsearch search 'open an account at a bank' --about bank",
        "vecsearch search --file question.wav",
    ),
    "similar": (
        "vecsearch similar --id heron.md",
        "vecsearch similar --text 'a bird in the reeds'",
        "vecsearch similar bank --about 'he fished from the bank' -c words",
        "vecsearch similar --file photo.jpg",
    ),
    "open": ("vecsearch open 2", "vecsearch open notes/heron.md:12"),
    "recommend": (
        "vecsearch recommend --positive heron.md --negative crane.md",
        "vecsearch recommend --for ann --boost popularity -n 5",
    ),
    "profile": ("vecsearch profile like ann heron.md", "vecsearch profile"),
    "profile list": ("vecsearch profile list", "vecsearch profile list -c papers --json"),
    "profile like": ("vecsearch profile like ann heron.md", "vecsearch profile like ann heron.md crane.md --weight 0.5"),
    "profile unlike": ("vecsearch profile unlike ann crane.md", "vecsearch profile unlike bob heron.md --weight 0.5"),
    "profile show": ("vecsearch profile show ann", "vecsearch profile show ann --json"),
    "profile forget": ("vecsearch profile forget ann crane.md", "vecsearch profile forget ann heron.md crane.md"),
    "profile delete": ("vecsearch profile delete ann", "vecsearch profile delete ann --yes"),
    "profile export": ("vecsearch profile export ann", "vecsearch profile export > profiles.jsonl"),
    "context": ("vecsearch context how do herons hunt", "vecsearch context where do they nest --max-tokens 500"),
    "senses": ("vecsearch senses bank", "vecsearch senses bank --wordnet ~/wordnet --json"),
    "eval": ("vecsearch eval ./my-dataset", "vecsearch eval ./my-dataset --mode lexical"),
    "tune": (
        "vecsearch tune --queries questions.jsonl --qrels answers.tsv",
        "vecsearch tune --label topic --level encoder --out ./my-model -c papers",
    ),
    "log": ("vecsearch log", "vecsearch log on"),
    "log on": ("vecsearch log on", "vecsearch log on --db ~/notes/.vecsearch"),
    "log off": ("vecsearch log off", "vecsearch log off --json"),
    "log show": ("vecsearch log show", "vecsearch log show -n 5 -c papers"),
    "log export": ("vecsearch log export > questions.jsonl", "vecsearch log export -c papers"),
    "log delete": ("vecsearch log delete", "vecsearch log delete --yes"),
    "get": ("vecsearch get heron.md:12", "vecsearch get --where author=Ada --json"),
    "ls": ("vecsearch ls", "vecsearch ls --failed"),
    "facets": ("vecsearch facets", "vecsearch facets author --where 'year>=2020'"),
    "status": ("vecsearch status", "vecsearch status -c papers --json"),
    "models": ("vecsearch models", "vecsearch models --json"),
    "inspect": (
        "vecsearch inspect 'a fashion model' 'a model that learned'",
        "vecsearch inspect 'bank of a river' 'bank loan' --word bank --svg bank.svg",
    ),
    "map": ("vecsearch map -c words --svg words.svg", "vecsearch map --html papers.html --color-by year --where 'year>=2020'"),
    "doctor": ("vecsearch doctor", "vecsearch doctor --fix"),
    "backup": ("vecsearch backup notes.backup", "vecsearch backup --force /mnt/nightly.backup"),
    "restore": ("vecsearch restore notes.backup --db ./restored", "vecsearch restore notes.backup --replace"),
    "export": ("vecsearch export papers.jsonl -c papers", "vecsearch export - --no-vectors | head -1"),
    "import": ("vecsearch import papers.jsonl -c papers", "vecsearch import ./chroma --from articles"),
    "collections": ("vecsearch collections", 'vecsearch collections create words --metadata \'{"owner": "Ada"}\''),
    "collections list": ("vecsearch collections list", "vecsearch collections list --json"),
    "collections create": ("vecsearch collections create papers", "vecsearch collections create de --stemmer de"),
    "collections describe": (
        "vecsearch collections describe papers",
        'vecsearch collections describe papers --metadata \'{"owner": "Ada"}\'',
    ),
    "collections delete": ("vecsearch collections delete papers", "vecsearch collections delete papers --yes"),
    "collections rename": ("vecsearch collections rename papers articles", "vecsearch collections rename default notes"),
    "help": ("vecsearch help search", "vecsearch help collections create"),
    "completion": (
        'eval "$(vecsearch completion bash)"            # in ~/.bashrc; zsh alike',
        "vecsearch completion fish > ~/.config/fish/completions/vecsearch.fish",
    ),
}

ENVIRONMENT: Final[Mapping[str, str]] = {
    "VECSEARCH_DB": "The database folder, where --db is not given.",
    "VECSEARCH_CACHE": "The folder of prepared models, if not the usual.",
    "VECSEARCH_WEIGHTS": "Where weights for scans, pictures, speech lie.",
    "VECSEARCH_OCR_LANGUAGES": "The languages of scans, such as eng+deu.",
    "VECSEARCH_OCR_READER": "What reads scans: tesseract or rapidocr.",
    "VECSEARCH_EDITOR_URI": "Links of hits, such as vscode://file{path}:{line}.",
    "VECSEARCH_DEBUG": "1 shows where an unexpected error came from.",
    "HF_HUB_OFFLINE": "1 looks for no model on the network.",
    "OMP_NUM_THREADS": "How many cores are used at most.",
    "PAGER": "Shows long documents on a terminal; cat for none.",
    "NO_COLOR": "Anything switches colours off.",
}


def format_examples(command: str) -> str | None:
    """Return the examples of a command, in click's form of lines that are not wrapped; None where there are none."""
    lines = EXAMPLES.get(command)
    return None if lines is None else "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))


def format_environment() -> str:
    """Return what is read of the environment, and how to go on, in click's form of lines that are not wrapped."""
    width = max(map(len, ENVIRONMENT))
    lines = (f"  {name.ljust(width)}  {meaning}" for name, meaning in ENVIRONMENT.items())
    return "\n".join(("\b", "Environment:", *lines, "", "vecsearch help COMMAND shows its options and examples."))
