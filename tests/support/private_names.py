"""Which private names of other libraries a package uses, and where.

A name is the package's own where its code defines it: in the class of ``self``, or in the class
that ``holders`` names for an expression. So another library's ``_sock`` is seen even where the
package has one, too.
"""

import ast
import importlib
import inspect
import textwrap
from functools import cache
from pathlib import Path

#: How code reaches an attribute by a text.
BY_TEXT = {"getattr", "setattr", "hasattr", "delattr", "attrgetter"}


def foreign_names(package: Path, holders: dict[str, type]) -> set[tuple[str, str]]:
    """(file, name) of each private name that is not the package's own."""
    return {
        (path.relative_to(package).as_posix(), name)
        for path in package.rglob("*.py")
        for name in _in_file(path, package, holders)
    }


def _in_file(path, package, holders):
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            holder = ast.unparse(node.value)
            if holder not in ("self", "cls") and node.attr not in own_names(holders.get(holder)):
                yield node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in BY_TEXT:
            own = own_names(holders.get(ast.unparse(node.args[0])))
            texts = {each.value for each in node.args if isinstance(each, ast.Constant)} - own
            yield from (text for text in texts if isinstance(text, str) and is_private(text))
        elif isinstance(node, ast.ImportFrom):
            parts = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            yield from (part for part in parts if is_private(part) and not node.level)
        elif isinstance(node, ast.Import):
            parts = ".".join(alias.name for alias in node.names).split(".")
            yield from (part for part in parts if is_private(part))
    module = importlib.import_module(".".join(_module_of(path, package)))
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            cls = getattr(module, node.name)
            yield from _used_by(node) & inherited_names(cls) | _used_by(node) - own_names(cls)


def _module_of(path, package):
    parts = path.relative_to(package.parent).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


@cache
def own_names(cls: type | None) -> set[str]:
    """The private names that a class and its bases in the same package define."""
    if cls is None:
        return set()
    package = _package(cls)
    return set().union(*(_defined_by(base) for base in cls.__mro__ if _package(base) == package))


@cache
def inherited_names(cls: type) -> set[str]:
    """The private names of its bases that are of other packages."""
    package = _package(cls)
    return set().union(*(_defined_by(base) for base in cls.__mro__ if _package(base) != package))


def _package(cls):
    return cls.__module__.split(".")[0]


@cache
def _defined_by(cls):
    names = set(vars(cls)) | set(getattr(cls, "__annotations__", ()))
    try:
        source = inspect.getsource(cls)
    except (OSError, TypeError):  # it is written in C
        source = ""
    stores = ast.walk(ast.parse(textwrap.dedent(source)))
    names |= {node.attr for node in stores if _is_of_self(node) and isinstance(node.ctx, ast.Store)}
    return {name for name in names if is_private(name)}


def _used_by(definition):
    """The private names by which a class's code calls itself, or that it gives itself."""
    names = {node.attr for node in ast.walk(definition) if _is_of_self(node)}
    for node in definition.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = getattr(node, "targets", None) or [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return {name for name in names if is_private(name)}


def _is_of_self(node):
    return isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("self", "cls")


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")
