"""The read path: filter → dense and lexical → fusion → hits. Never writes."""
