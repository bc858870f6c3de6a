"""Count the figures that an executed notebook shows, and fail where there are fewer than asked for.

python tests/count_figures.py out/project_crewe.ipynb 11
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def figures(notebook: str | Path) -> int:
    """Give the number of images among the outputs of an executed notebook."""
    cells = json.loads(Path(notebook).read_text("utf-8"))["cells"]
    return sum(
        any(kind.startswith("image/") for kind in output.get("data", {}))
        for cell in cells
        for output in cell.get("outputs", [])
    )


if __name__ == "__main__":
    path, least = sys.argv[1], int(sys.argv[2])
    shown = figures(path)
    if shown < least:
        sys.exit(f"{path} shows {shown} figures, where at least {least} are drawn")
    print(f"{path} shows {shown} figures.")
