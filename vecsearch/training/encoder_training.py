"""Train an encoder on pairs, by sentence-transformers' trainer: in memory, offline, with the same result for the same seed.

MultipleNegativesRankingLoss (Henderson et al., 2017): in a batch, a question's text shall be nearer to it than the others' are.
So no batch holds two pairs of one topic, whose texts answer both.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from vecsearch.core.optional_packages import import_optional
from vecsearch.encoders.sentence_transformers import quiet_loading

EXTRA: Final = "tune"
BATCH_PAIRS: Final = 32
WINDOW_MAX: Final = 128  # tokens of a text that training looks at, at most
SMALL_MODEL: Final = 60_000_000  # parameters
# the largest at which a model trained on STS or SciFact loses no more on other tasks than at 5e-5; at 1e-4 it loses more
RATE_SMALL, RATE_LARGE = 7.5e-5, 2e-5
SCALE: Final = 20.0  # of cosines
WARM_UP: Final = 0.1  # of the steps
LOOKS: Final = 3  # at the dev pairs in an epoch
PATIENCE: Final = 2  # looks without a better loss


@dataclass(frozen=True, slots=True)
class TextPair:
    """A question, a text that answers it, and what it is about: two pairs that share a topic are in no batch together."""

    question: str
    text: str
    topics: frozenset[str]


def require_packages() -> None:
    """Raise UnavailableError, with the line that installs them, where a package that training needs is not there."""
    import_optional("accelerate", extra=EXTRA)
    import_optional("datasets", extra=EXTRA)
    import_optional("sentence_transformers")  # last: it loads both


def list_batches(pairs: Sequence[TextPair], seed: int) -> list[list[int]]:
    """Return pairs by number, up to BATCH_PAIRS together, in an order of the seed's: no two of a batch share a topic."""
    waiting = np.random.default_rng(seed).permutation(len(pairs)).tolist()
    batches = []
    while waiting:
        batch: list[int] = []
        used: set[str] = set()
        left = []
        for number in waiting:
            if len(batch) < BATCH_PAIRS and not pairs[number].topics & used:
                batch.append(number)
                used |= pairs[number].topics
            else:
                left.append(number)
        batches.append(batch)
        waiting = left
    return [batch for batch in batches if len(batch) > 1]  # one pair alone teaches nothing


def choose_epochs(pairs: int) -> int:
    """Return how often the pairs are gone through."""
    return 1 if pairs >= 1_000 else 2 if pairs > 300 else 3


def train_encoder(
    folder: Path, out: Path, training: Sequence[TextPair], dev: Sequence[TextPair], *, seed: int,
    should_end: Callable[[], bool], progress: Callable[[str], None],
) -> None:  # fmt: skip
    """Train the model of a folder on pairs, and write it to another, as it was at the look that the dev pairs favour.

    `should_end` is asked after each step. Raises UnavailableError, and whatever `should_end` raises.
    """
    require_packages()
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from transformers import PrinterCallback, set_seed

    class QuietTrainer(SentenceTransformerTrainer):
        """One that asks nobody about the model or the data, and prints nothing."""

        def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
            """Add none."""

    set_seed(seed)
    with quiet_loading():
        model = SentenceTransformer(str(folder), device=_choose_device(), local_files_only=True)
    window = model.max_seq_length
    model.max_seq_length = _choose_window(model, training, window)
    epochs = choose_epochs(len(training))
    steps = len(list_batches(training, seed))
    watch = _Watch(model, dev, max(1, math.ceil(steps / LOOKS)), epochs * steps, should_end, progress)
    rate = RATE_SMALL if sum(weights.numel() for weights in model.parameters()) < SMALL_MODEL else RATE_LARGE
    prompts = model.prompts or {}
    with tempfile.TemporaryDirectory(prefix="vecsearch-") as scratch:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=scratch, num_train_epochs=epochs, per_device_train_batch_size=BATCH_PAIRS, learning_rate=rate,
            warmup_steps=round(WARM_UP * epochs * steps), lr_scheduler_type="linear", seed=seed, data_seed=seed,
            use_cpu=model.device.type == "cpu", report_to=[], save_strategy="no", logging_strategy="no", eval_strategy="no",
            disable_tqdm=True, dataloader_pin_memory=False,
            batch_sampler=partial(_make_sampler, pairs=training, first_seed=seed),
            prompts={"question": prompts.get("query") or "", "text": prompts.get("document") or ""},
        )  # fmt: skip
        columns = {"question": [pair.question for pair in training], "text": [pair.text for pair in training]}
        trainer = QuietTrainer(
            model=model, args=arguments, train_dataset=Dataset.from_dict(columns), loss=_make_loss(model),
            callbacks=[watch.build_callback()],
        )  # fmt: skip
        trainer.remove_callback(PrinterCallback)
        with quiet_loading():
            trainer.train()
    watch.restore_best()
    model.max_seq_length = window
    with quiet_loading():
        model.save(str(out), create_model_card=False)


def _choose_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _choose_window(model: Any, pairs: Sequence[TextPair], window: int | None) -> int:
    """Return how many tokens hold 95 % of the texts, at most WINDOW_MAX, and no more than the model takes."""
    lengths = [len(ids) for ids in model.tokenizer([pair.text for pair in pairs], add_special_tokens=True)["input_ids"]]
    return min(max(8, int(np.percentile(lengths, 95))), WINDOW_MAX, window or WINDOW_MAX)


def _make_loss(model: Any) -> Any:
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    return MultipleNegativesRankingLoss(model, scale=SCALE)


def _make_sampler(dataset: Any, *, pairs: Sequence[TextPair], first_seed: int, **options: Any) -> Any:
    """Return what gives the trainer its batches, others in each epoch."""
    from sentence_transformers import DefaultBatchSampler

    class TopicSampler(DefaultBatchSampler):
        def __iter__(self) -> Iterator[list[int]]:
            yield from list_batches(pairs, first_seed + self.epoch)

        def __len__(self) -> int:
            return len(list_batches(pairs, first_seed))

    return TopicSampler(dataset, **options)


@dataclass(slots=True)
class _Watch:
    """Looks at the dev pairs while a model is trained, and keeps the best state of it."""

    model: Any
    dev: Sequence[TextPair]
    interval: int  # steps between two looks
    steps: int  # in all
    should_end: Callable[[], bool]
    progress: Callable[[str], None]
    best: Any = None
    best_loss: float = math.inf
    waited: int = 0

    def build_callback(self) -> Any:
        """Return what the trainer calls."""
        from transformers import TrainerCallback

        watch = self

        class WatchCallback(TrainerCallback):
            def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
                watch.look()

            def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
                control.should_training_stop = watch.note_step(state.global_step)

        return WatchCallback()

    def note_step(self, step: int) -> bool:
        """Return whether it is enough."""
        self.progress(f"training: step {step:,} of {self.steps:,}")
        if step % self.interval == 0 or step == self.steps:
            self.look()
        return self.should_end() or self.waited >= PATIENCE

    def look(self) -> None:
        """Compute the loss on the dev pairs; keep the weights where it is the least so far, or there are no such pairs."""
        loss = _compute_dev_loss(self.model, self.dev) if len(self.dev) > 1 else -math.inf
        if loss < self.best_loss or loss == -math.inf:
            self.best_loss, self.waited = loss, 0
            self.best = {name: weights.detach().clone() for name, weights in self.model.state_dict().items()}
        else:
            self.waited += 1

    def restore_best(self) -> None:
        """Put the best weights back."""
        self.model.load_state_dict(self.best)


def _compute_dev_loss(model: Any, dev: Sequence[TextPair]) -> float:
    """Return the mean loss, with the texts of all pairs as candidates but those of a shared topic."""
    was_training = model.training
    options = {"normalize_embeddings": True, "show_progress_bar": False, "batch_size": BATCH_PAIRS}
    questions = model.encode_query([pair.question for pair in dev], **options)
    texts = model.encode_document([pair.text for pair in dev], **options)
    model.train(was_training)
    logits = SCALE * np.asarray(questions, np.float64) @ np.asarray(texts, np.float64).T
    shared = np.array([[bool(one.topics & other.topics) for other in dev] for one in dev])
    np.fill_diagonal(shared, False)
    logits[shared] = -np.inf
    own = np.diagonal(logits)
    most = logits.max(axis=1)
    return float((np.log(np.exp(logits - most[:, np.newaxis]).sum(axis=1)) + most - own).mean())
