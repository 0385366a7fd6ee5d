"""Docstrings as the reference shows them: sections become lists, examples become code, names become links."""

import re
from collections.abc import Iterator

import griffe

_SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises|Example):\n((?:(?: {4}.*)?(?:\n|\Z))+)", re.MULTILINE)
_ENTRY = re.compile(r"^([\w*][^:\n]*?): ")
_LITERAL = re.compile(r"::$", re.MULTILINE)  # an indented block follows
_ROLE = re.compile(r":([a-z]+):`~?([^`]+)`")
_BARE = {"Returns", "Yields"}  # sections of text, not of entries


class Docstrings(griffe.Extension):
    """Rewrites every docstring of a package once the whole of it is known."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: object) -> None:
        for thing in _inside(pkg):
            if thing.docstring is not None:
                thing.docstring.value = _markdown(thing, thing.docstring.value)


def _inside(thing: griffe.Object) -> Iterator[griffe.Object]:
    yield thing
    for member in list(thing.members.values()):
        if isinstance(member, griffe.Object):
            yield from _inside(member)


def _markdown(thing: griffe.Object, text: str) -> str:
    text = _SECTION.sub(lambda found: _section(found[1], found[2]), text)
    text = _LITERAL.sub(":", text)
    return _ROLE.sub(lambda found: _link(thing, found[1], found[2]), text)


def _section(title: str, body: str) -> str:
    lines = [line.removeprefix("    ") for line in body.rstrip().split("\n")]
    if title == "Example":
        return f"**{title}**\n\n```pycon\n" + "\n".join(lines) + "\n```\n\n"
    text = "\n".join(lines) if title in _BARE else "\n".join(_entry(line) for line in lines)
    return f"**{title}**\n\n{text}\n\n"


def _entry(line: str) -> str:
    """The first line of an entry as an item of a list; continued lines are indented already."""
    if line.startswith(" ") or not line:
        return line
    return "- " + _ENTRY.sub(lambda found: ", ".join(f"`{name}`" for name in found[1].split(", ")) + ": ", line)


def _link(thing: griffe.Object, role: str, name: str) -> str:
    found = _find(thing, name)
    if found is not None and role != "mod" and found.is_module:  # dlbd.ops.conv is a function of a module of that name
        found = _member(found, found.name)
    if found is None:
        return f"`{name}`"
    return f'<autoref identifier="{found.canonical_path}" optional><code>{name}</code></autoref>'


def _find(thing: griffe.Object, name: str) -> griffe.Object | griffe.Alias | None:
    """What ``name`` means in a docstring: a full path, or one from an enclosing class, module or package."""
    first, *rest = name.split(".")
    scope: griffe.Object | None = thing
    while scope is not None:
        found = scope if first == scope.name == "dlbd" else _member(scope, first)
        for part in rest:
            found = found and _member(found, part)
        if found is not None:
            return found
        scope = scope.parent
    return None


def _member(thing: griffe.Object | griffe.Alias, name: str) -> griffe.Object | griffe.Alias | None:
    members = thing.all_members if thing.is_class else thing.members
    return members.get(name)
