"""What the syntax tree of a module says that it calls, by the full names."""

import ast
from collections.abc import Iterator


def names_of_imports(tree: ast.AST) -> dict[str, str]:
    """Return what names stand for that import statements bind, wherever these are."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                found[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found


def imports_in(tree: ast.AST) -> Iterator[str]:
    """Yield every module, and every name of one, that is imported: "os", "os.path"."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def full_name(node: ast.expr, known: dict[str, str]) -> str:
    """Return what an expression names: "numpy.load" for np.load; ".open" of some value."""
    if isinstance(node, ast.Name):
        return known.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        before = node.value
        while isinstance(before, ast.Attribute):
            before = before.value
        if isinstance(before, ast.Name) and before.id in known:
            return f"{full_name(node.value, known)}.{node.attr}"
        return f".{node.attr}"
    return ""


def calls_in(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Yield all calls, each with the full name of what is called."""
    known = names_of_imports(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield full_name(node.func, known), node


def references_in(tree: ast.AST) -> Iterator[str]:
    """Yield the full name of everything that is named, called or not."""
    known = names_of_imports(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            yield full_name(node, known)
