"""A table of pandas: a document a row, other columns as metadata to filter by, answers as a table again.

    pip install pandas
    python examples/data_frame.py products.vec

A frame of polars, an Arrow table and a mapping of columns are taken the same way.
"""

from __future__ import annotations

import sys

import pandas as pd

import vecsearch


def make_products() -> pd.DataFrame:
    """Return a table as one has it: with a value that is missing, categories and dates."""
    products = pd.DataFrame(
        {
            "sku": ["A-1", "A-2", "A-3", "A-4"],
            "name": ["Nordlys", "Trail 30", "Kaffe", "Brew"],
            "description": [
                "a warm sleeping bag for cold nights in a tent",
                "a light rucksack for day hikes with a rain cover",
                "a small machine for espresso with a steam pipe",
                "a glass jug with a filter for fresh coffee",
            ],
            "price": [189.0, 79.9, 229.0, None],
            "category": ["outdoor", "outdoor", "kitchen", "kitchen"],
            "since": pd.to_datetime(["2024-09-30", "2023-04-02", "2022-11-15", "2024-05-20"]),
        }
    )
    return products.astype({"category": "category"})


def main(database: str = "products.vec") -> None:
    """Store the table, then ask."""
    with vecsearch.open(database) as products:
        report = products.add_dataframe(make_products(), id="sku", text="description", title="name", on_conflict="replace")
        print(len(report), "rows,", report.added, "of them new")

        hits = products.search("something for hiking", where={"category": "outdoor", "price": {"$lt": 100}}, limit=3)
        print(hits.to_pandas()[["id", "title", "score"]].to_string(index=False))

        newest = products.search("coffee", where={"since": {"$gte": "2024-01-01"}}, limit=1)
        print("newest:", newest[0].id)


if __name__ == "__main__":
    main(*sys.argv[1:2])
