"""Convert docstrings to Markdown for the reference pages.

Docstrings are prose and equations; plain Markdown would join the lines of equations.
"""

from __future__ import annotations

import ast
import re
from typing import Any

import griffe

_EQUATION = re.compile(r"[^\s.,;:][^.,;:]{0,29}? = ")


def _is_equations(paragraph: str) -> bool:
    """Whether every line is an equation, rather than a sentence that happens to start like one."""
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
    """Keeps the lines of equations, and documents an option by its help text."""

    def on_attribute_instance(self, *, attr: griffe.Attribute, **kwargs: Any) -> None:
        """Turn `name: int = option(50, "Help.")` into `name: int = 50` and a docstring."""
        value = attr.value
        if isinstance(value, griffe.ExprCall) and str(value.function) == "option":
            default, text = value.arguments[:2]
            attr.value = default
            attr.docstring = griffe.Docstring(
                " ".join(ast.literal_eval(str(text)).split()), parent=attr
            )

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Convert each paragraph of a docstring to Markdown.

        A name that a package re-exports is shown once, in the module that defines it.
        """
        if isinstance(obj, griffe.Module) and obj.is_subpackage:
            obj.exports = None
        if obj.docstring:
            paragraphs = obj.docstring.value.split("\n\n")
            obj.docstring.value = "\n\n".join(map(_paragraph, paragraphs))
