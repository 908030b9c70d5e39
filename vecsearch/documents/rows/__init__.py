"""Files whose rows are documents: tables, arrays and lines of JSON records, lists of words.

In go a `RawFile` and `RowOptions`, out come documents that have the file as their source. Which columns mean what is told by the
options, else guessed from the first rows. Stores nothing, and decides nothing about files that hold no rows.
"""
