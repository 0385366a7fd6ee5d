"""``dlbd.keras``: another name for ``dlbd``, down to every submodule.

``import dlbd.keras.layers`` must give the very module ``dlbd.layers``. Python would load the file a second time under
the longer name, with classes that are not the first ones; so this finder answers for such names before it does.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_PREFIX = "dlbd.keras."


# Not subclasses of importlib.abc's: importing that costs 11 ms.
class _Alias:
    def __init__(self, name: str) -> None:
        self._name = name
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(self._name)
        self._spec = module.__spec__  # the import system is about to overwrite it with the alias's
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec
        # Importing a submodule sets it as an attribute of its package: the alias of one that is loaded already must not
        # be imported, or the module dlbd.ops.matmul would replace the function of that name.
        for name, loaded in list(sys.modules.items()):
            if name.startswith(self._name + "."):
                sys.modules.setdefault(_PREFIX + name.removeprefix("dlbd."), loaded)


class _Finder:
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(_PREFIX):
            return None
        loader: Any = _Alias("dlbd." + fullname.removeprefix(_PREFIX))
        return ModuleSpec(fullname, loader)


def install(package: ModuleType) -> None:
    """Make ``package.keras`` the package itself."""
    sys.modules[_PREFIX.rstrip(".")] = package
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
