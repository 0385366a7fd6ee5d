"""The stub of the compiled module names everything that the module has, and nothing else."""

import ast
import pathlib

import dlbd
from dlbd import _cpu


def test_the_stub_and_the_module_have_the_same_names():
    stub = ast.parse((pathlib.Path(dlbd.__file__).parent / "_cpu.pyi").read_text(encoding="utf-8"))
    described = set()
    for node in stub.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            described.add(node.name)
        elif isinstance(node, ast.AnnAssign):
            described.add(node.target.id)
    real = {name for name in dir(_cpu) if not name.startswith("__")} - {"plant"}  # only a sanitized build has that
    assert described == real
