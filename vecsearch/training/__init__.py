"""Does one's own data make search better, and for sure?

In: questions, and for each of them which documents answer it. Out: a linear map of questions, or a new encoder, with the proof:
how much better held-out questions are answered, those about documents that were asked for before and those about others. What is
not surely better is not kept. A plain search loads nothing of it.
"""
