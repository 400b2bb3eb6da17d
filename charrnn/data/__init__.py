"""Reading texts: vocabularies, parts, files larger than memory, the catalogue of corpora."""
