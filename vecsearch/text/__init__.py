"""Which terms does a text or a query consist of? Text in, terms, sentences and languages out; refuses no text."""
