"""What can go wrong, in words for the person at the keyboard.

The library raises these; the command line prints the message as one line and exits with 1.
"""


class CharRNNError(Exception):
    """Base of every failure that charrnn foresees. The message is one full sentence."""


class CorpusError(CharRNNError):
    """A text cannot be read, decoded or split as asked."""


class VocabularyError(CharRNNError):
    """A symbol that the vocabulary does not hold."""


class ConfigError(CharRNNError):
    """An option, or a combination of options, that makes no sense."""


class CheckpointError(CharRNNError):
    """A checkpoint is missing, damaged, foreign or from a newer version."""


class ProcessGroupError(CharRNNError):
    """Several processes that cannot train together."""


class DivergedError(CharRNNError):
    """Training diverged in spite of lower learning rates, or dynamic evaluation diverged."""


class GradientError(CharRNNError):
    """A derivative written by hand is not that of its forward pass."""


class FetchError(CharRNNError):
    """A corpus could not be downloaded whole."""


def os_reason(error: OSError) -> str:
    """What the system says went wrong, to end a sentence with."""
    return (error.strerror or str(error)).lower()


class WorkerError(CharRNNError):
    """A worker process of a training run has ended."""
