"""Tasks: what a model can be trained to do."""

from charrnn.tasks.base import Measurement, Task
from charrnn.tasks.classification import Classification, ClassifyConfig
from charrnn.tasks.filling import FillConfig, Filling
from charrnn.tasks.language_modeling import LanguageModelConfig, LanguageModeling
from charrnn.tasks.register import DEFAULT_TASK, TASKS, load, make_config, make_task
from charrnn.tasks.text_files import TextFiles

__all__ = [
    "DEFAULT_TASK",
    "TASKS",
    "Classification",
    "ClassifyConfig",
    "FillConfig",
    "Filling",
    "LanguageModelConfig",
    "LanguageModeling",
    "Measurement",
    "Task",
    "TextFiles",
    "load",
    "make_config",
    "make_task",
]
