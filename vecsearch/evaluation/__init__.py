"""How good is search on one's own data?

In: queries, and for each of them which documents answer it (qrels). Out: nDCG@10, recall@100, MRR@10 and MAP of a mode, with the
interval in which they would lie had other queries of the same kind been run. Never writes to a collection that is measured.
"""

from vecsearch.core.measures import Measure
from vecsearch.evaluation.cache import CachedCollection
from vecsearch.evaluation.datasets import Dataset, Qrels, find_absent, read_judgements
from vecsearch.evaluation.pair_files import read_pairs
from vecsearch.evaluation.profiles import ProfileRun, evaluate_profiles, read_profiles
from vecsearch.evaluation.run import Difference, Run, compare_runs, evaluate, select_answerable

__all__ = [
    "CachedCollection",
    "Dataset",
    "Difference",
    "Measure",
    "ProfileRun",
    "Qrels",
    "Run",
    "compare_runs",
    "evaluate",
    "evaluate_profiles",
    "find_absent",
    "read_judgements",
    "read_pairs",
    "read_profiles",
    "select_answerable",
]
