"""Imports point one way: from the command line down to the numerics."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "charrnn"
LAYERS = (
    {"errors", "version"},
    {"system"},
    {"nn"},
    {"data", "optim"},
    {"models"},
    {"config"},
    {"runs"},
    {"language"},
    {"filling", "classification"},
    {"tasks"},
    {"training"},
    {"compare", "diagnostics", "plots"},
    {"cli"},
)
"""Subpackages from bottom to top. Each imports only itself and those below it."""
LEVEL = {package: level for level, packages in enumerate(LAYERS) for package in packages}
TOP_LEVEL = {"__init__", "__main__"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path): path for path in MODULES}


def imports(path: Path) -> Iterator[str]:
    """The modules of this package that a module imports, at any level of nesting."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("charrnn"))
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("charrnn"):
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                yield module if module in NAMES else node.module


def subpackage(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_downwards(path: Path) -> None:
    here = subpackage(name_of(path))
    if here in TOP_LEVEL:
        return
    for module in imports(path):
        there = subpackage(module)
        assert there == here or LEVEL.get(there, 99) < LEVEL[here], f"{name_of(path)} -> {module}"


def test_there_are_no_import_cycles() -> None:
    graph = {name: {m for m in imports(path) if m != name} for name, path in NAMES.items()}
    done: set[str] = set()
    open_: list[str] = []

    def visit(name: str) -> None:
        if name in done:
            return
        assert name not in open_, " -> ".join([*open_[open_.index(name) :], name])
        open_.append(name)
        for module in graph[name]:
            visit(module)
        open_.pop()
        done.add(name)

    for name in graph:
        if name != "charrnn":  # the top-level package imports lazily
            visit(name)
