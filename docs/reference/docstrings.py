"""How docstrings become reference pages.

They are prose and equations, and Markdown would run the lines of equations together.
"""

from __future__ import annotations

import ast
import re
from typing import Any

import griffe

_EQUATION = re.compile(r"[^\s.,;:][^.,;:]{0,29}? = ")


def _is_equations(paragraph: str) -> bool:
    """Every line says what something equals, and it is no sentence that happens to begin so."""
    spaced = "    " in paragraph or not paragraph.endswith(".")
    return spaced and all(_EQUATION.match(line) for line in paragraph.splitlines())


def _paragraph(text: str) -> str:
    if text.startswith("    "):
        return text
    if _is_equations(text):
        return f"```text\n{text}\n```"
    parts = text.split("`")
    parts[::2] = [part.replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)


class Docstrings(griffe.Extension):
    """Equations keep their lines; an option of `TrainConfig` is documented by its help."""

    def on_attribute_instance(self, *, attr: griffe.Attribute, **kwargs: Any) -> None:
        """`name: int = option(50, "Help.")` becomes `name: int = 50` and a docstring."""
        value = attr.value
        if isinstance(value, griffe.ExprCall) and str(value.function) == "option":
            default, text = value.arguments[:2]
            attr.value = default
            attr.docstring = griffe.Docstring(
                " ".join(ast.literal_eval(str(text)).split()), parent=attr
            )

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Each paragraph of a docstring, as Markdown that looks like the docstring.

        What a package exports is shown once, in the module that defines it.
        """
        if isinstance(obj, griffe.Module) and obj.is_subpackage:
            obj.exports = None
        if obj.docstring:
            paragraphs = obj.docstring.value.split("\n\n")
            obj.docstring.value = "\n\n".join(map(_paragraph, paragraphs))
