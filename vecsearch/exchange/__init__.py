"""Moving documents between databases: out to JSON lines and Parquet, in from these, from Chroma and from txtai.

In goes a collection or a file, out comes the other. What is read is data: nothing of it is executed, unpickled or trusted
before it was checked. Copies of a whole database are not made here but in `stores.sqlite.backup`.
"""
