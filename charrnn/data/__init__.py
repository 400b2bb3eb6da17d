"""Reading texts and corpora, vocabularies, encoding to ids, splitting, and cutting into batches."""
