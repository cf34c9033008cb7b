"""Adds byte code to zips of Python modules: ``python bytecode.py ZIP``, run by the Python version that will load it.

It needs only the standard library, so that any interpreter of the right version can run it.
"""

from __future__ import annotations

import importlib.util
import marshal
import shutil
import struct
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)
UNCHECKED = 0b01  # PEP 552: a hash-based pyc whose hash is not checked


def here() -> str:
    """Lambda's name for the Python that runs this."""
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def interpreter(runtime: str) -> str | None:
    """A Python interpreter of this version: this one or one on the path; None if there is none."""
    if runtime == here():
        return sys.executable
    found = shutil.which(runtime)
    if found is None:
        return None
    # A version manager may leave a name on the path that only prints an error.
    probe = f"import sys; sys.exit({runtime!r} != 'python%d.%d' % sys.version_info[:2])"
    works = subprocess.run([found, "-c", probe], capture_output=True, check=False).returncode == 0
    return found if works else None


def compile_zip(archive: Path, runtime: str) -> bool:
    """Add byte code for a runtime to a zip; False if there is no interpreter of that version."""
    with zipfile.ZipFile(archive) as there:
        if there.comment == _mark(runtime):
            return True
    python = interpreter(runtime)
    if python is None or python == sys.executable:
        with_bytecode(archive, add=python is not None)
    else:
        subprocess.run([python, __file__, str(archive)], check=True)
    return python is not None


def _mark(runtime: str) -> bytes:
    """The comment that marks a processed zip, since processing a large one takes seconds."""
    return f"byte code for {runtime}".encode()


def compiled(source: bytes, name: str) -> bytes | None:
    """A module's byte code file; None if this Python cannot compile it (templates may look like modules)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in libraries
            code = compile(source, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    head = importlib.util.MAGIC_NUMBER + struct.pack("<L", UNCHECKED)
    return head + importlib.util.source_hash(source) + marshal.dumps(code)


def cache_name(name: str, runtime: str = "") -> str:
    """``a/b.py`` becomes ``a/__pycache__/b.cpython-313.pyc``, for this Python or the runtime."""
    folder, _, module = name.rpartition("/")
    tag = "cpython-" + (runtime or here()).removeprefix("python").replace(".", "")
    cached = f"__pycache__/{module.removesuffix('.py')}.{tag}.pyc"
    return f"{folder}/{cached}" if folder else cached


def with_bytecode(source: Path, *, add: bool = True) -> None:
    """Rewrite the zip sorted and without times, and (``add``) with byte code of this Python only.

    Chalice packs the ``__pycache__`` folders of the checkout, with byte code of any Python that ran there.
    """
    target = source.with_suffix(".tmp")
    with zipfile.ZipFile(source) as old:
        sources = [item for item in old.infolist() if not item.filename.endswith(".pyc")]
        entries = {item.filename: (item.external_attr, old.read(item)) for item in sources}
    for name in [name for name in entries if add and name.endswith(".py")]:
        byte_code = compiled(entries[name][1], name)
        if byte_code is not None:
            entries[cache_name(name)] = (entries[name][0], byte_code)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as new:
        for name, (attributes, data) in sorted(entries.items()):
            item = zipfile.ZipInfo(name, EPOCH)
            item.external_attr = attributes
            item.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(item, data)
        new.comment = _mark(here()) if add else b""
    target.replace(source)


if __name__ == "__main__":
    with_bytecode(Path(sys.argv[1]))
