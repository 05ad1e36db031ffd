"""The sdist and the wheel of this checkout."""

import subprocess
import sys
from pathlib import Path

from .server import ROOT

TOOLS = Path(sys.executable).parent


def build(folder: Path) -> Path:
    """Make both in ``folder``, the wheel from the sdist. Returns the wheel."""
    subprocess.run(
        [
            TOOLS / "uv", "build", "--quiet", "--offline", "--no-build-isolation",
            "--python", sys.executable, "--out-dir", folder, ROOT,
        ],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    return wheel
