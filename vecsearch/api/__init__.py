"""The Python API. Takes what a caller passes, checks it, and calls search, indexing and exchange with plain values.

Only `open` knows which store holds a database. Nothing here prints, and nothing here knows SQL, FAISS or a file format.
"""
