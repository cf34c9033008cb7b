"""Counts the work of code: executed lines, and elements that an operation reads or copies.

Times vary on a busy machine. Counts of the same work are equal, so a test can distinguish work that grows linearly with
the input from work that grows quadratically. Operations in C, which Python's tracing does not show, are counted by code
that is compiled again for a test: ``x in some_list`` counts the elements that it may read, ``a + b`` and ``a[1:]``
count those that they copy.
"""

from __future__ import annotations

import ast
import gc
import importlib
import pkgutil
import sys
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import TYPE_CHECKING, Any

import chalicelib

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = str(Path(chalicelib.__file__).parent)
_IN, _MADE = "__count_in__", "__count_made__"


class Operations:
    """Counts in the thread of :meth:`counting`."""

    def __init__(self) -> None:
        self.count = 0

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count the work of the block. Concurrent blocks of several threads are added up."""
        before = sys.gettrace()
        sys.settrace(self._called)
        try:
            yield
        finally:
            sys.settrace(before)

    def of(self, work: Callable[[], object]) -> int:
        """The count of one piece of work."""
        before = self.count
        with self.counting():
            work()
        return self.count - before

    def _called(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        return self._line if frame.f_code.co_filename.startswith(ROOT) else None

    def _line(self, _frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            self.count += 1
        return self._line

    def _in(self, wanted: Any, held: Any) -> bool:
        if isinstance(held, list | tuple):
            self.count += len(held)
        return wanted in held

    def _made(self, made: Any) -> Any:
        if isinstance(made, list | tuple):
            self.count += len(made)
        elif isinstance(made, str | bytes):
            self.count += len(made) // 64
        return made


class _Rewritten(ast.NodeTransformer):
    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if len(node.ops) > 1 or not isinstance(node.ops[0], ast.In | ast.NotIn):
            return node
        call = ast.Call(ast.Name(_IN, ast.Load()), [node.left, node.comparators[0]], [])
        return ast.UnaryOp(ast.Not(), call) if isinstance(node.ops[0], ast.NotIn) else call

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        return _made(node) if isinstance(node.op, ast.Add) else node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        return _made(node) if isinstance(node.slice, ast.Slice) and isinstance(node.ctx, ast.Load) else node


def _made(node: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(_MADE, ast.Load()), [node], [])


def _code_objects(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _code_objects(constant)


def _compiled(path: str) -> dict[tuple[str, int], CodeType]:
    """The functions of a file, rewritten, by name and line."""
    tree = _Rewritten().visit(ast.parse(Path(path).read_text()))
    whole = compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)
    return {(code.co_qualname, code.co_firstlineno): code for code in _code_objects(whole)}


@contextmanager
def operations() -> Iterator[Operations]:
    """Let all functions of the project count during the block."""
    for module in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
        importlib.import_module(module.name)
    counted = Operations()
    builtins: Any = importlib.import_module("builtins")
    files: dict[str, dict[tuple[str, int], CodeType]] = {}
    replaced: list[tuple[FunctionType, CodeType]] = []
    setattr(builtins, _IN, counted._in)
    setattr(builtins, _MADE, counted._made)
    try:
        for function in [each for each in gc.get_objects() if type(each) is FunctionType]:
            code = function.__code__
            if not code.co_filename.startswith(ROOT):
                continue
            if code.co_filename not in files:
                files[code.co_filename] = _compiled(code.co_filename)
            new = files[code.co_filename].get((code.co_qualname, code.co_firstlineno))
            if new is not None and new.co_freevars == code.co_freevars:
                replaced.append((function, code))
                function.__code__ = new
        yield counted
    finally:
        for function, code in replaced:
            function.__code__ = code
        delattr(builtins, _IN)
        delattr(builtins, _MADE)


SIZES = (6, 24, 96, 384)
"""Sizes of inputs. Many lists are limited to a hundred entries."""
_SLACK = 3_000
_FACTOR = 6


def too_fast(counts: list[int]) -> bool:
    """Whether counts, each at four times the previous size, grow faster than linearly.

    From step to step, linear work grows four times as much as in the previous step, quadratic work sixteen times;
    sorting stays below six.
    """
    return any(
        third - second > _FACTOR * max(0, second - first) + _SLACK
        for first, second, third in zip(counts, counts[1:], counts[2:], strict=False)
    )


def is_little(count: int) -> bool:
    """Whether a count is too small to be one that ``too_fast`` finds, which is at least the third of its list."""
    return count <= _SLACK
