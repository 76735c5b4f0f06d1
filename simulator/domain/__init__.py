"""Nouns of the question and nouns of the answer: frozen, checked, without I/O."""
