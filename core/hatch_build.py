"""Compiles the core into the wheel, with a compiler that pip brings along: none has to be on the machine.

Where there is no such compiler, or it fails, the wheel is one for every platform and tracelens does in Python what the
core would do. TRACELENS_TARGET names another platform than this one (see _TARGETS), for releases.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_LIBRARY: Final = "tracelens/native/libtracelens.so"

# Platform tag to target and processor. The library needs no libc, so one serves both kinds of Linux.
_TARGETS: Final = {
    "manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64": ("x86_64-linux-gnu.2.17", "x86_64_v2"),
    "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64": ("aarch64-linux-gnu.2.17", "generic"),
    "macosx_11_0_arm64": ("aarch64-macos.11.0", "apple_m1"),
    "macosx_11_0_x86_64": ("x86_64-macos.11.0", "x86_64_v2"),
}


class CoreBuildHook(BuildHookInterface):  # type: ignore[misc]  # hatchling is there when a wheel is built
    """Adds the library to the wheel, or to the source tree of an editable installation."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say so in the wheel's tag."""
        del version
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        library = root / _LIBRARY
        library.unlink(missing_ok=True)
        tag = os.environ.get("TRACELENS_TARGET") or _tag_here()
        failure = "no compiler for this platform" if tag is None else _compile(root / "core" / "core.zig", tag, library)
        if failure:
            self.app.display_warning(f"tracelens is built without its compiled core, and slower: {failure}")
            return
        build_data["artifacts"].append(_LIBRARY)
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{tag}"


def _tag_here() -> str | None:
    """Return the tag of this platform; None where there is no target for it."""
    system = {"linux": "manylinux", "darwin": "macosx"}.get(sys.platform)
    machine = {"AMD64": "x86_64", "arm64" if sys.platform == "linux" else "aarch64": "aarch64"}.get(
        platform.machine(), platform.machine()
    )
    tags = (tag for tag in _TARGETS if system and tag.startswith(system) and tag.endswith(machine))
    return next(tags, None)


def _compile(source: Path, tag: str, library: Path) -> str:
    """Write the library; return why it failed, empty where it did not."""
    if importlib.util.find_spec("ziglang") is None:
        return "the package ziglang is not installed"
    target, processor = _TARGETS[tag]
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, "-m", "ziglang", "build-lib", "-dynamic", "-O", "ReleaseSafe", "-fstrip"]
        command += ["-target", target, "-mcpu", processor, str(source), f"-femit-bin={library}"]
        command += ["--cache-dir", cache, "--global-cache-dir", cache]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            return str(error)
    return "" if done.returncode == 0 else done.stderr.strip() or f"the compiler ended with {done.returncode}"
