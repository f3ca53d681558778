"""matplotlib's backend inside the local sandbox: what `plt.show()` shows becomes a file for the person.

Never imported by us: it is put beside the code that runs, and MPLBACKEND names it.
"""

from pathlib import Path

from matplotlib._pylab_helpers import Gcf  # type: ignore[import-not-found]
from matplotlib.backend_bases import FigureManagerBase as FigureManager  # type: ignore[import-not-found]
from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvas  # type: ignore[import-not-found]

__all__ = ["FigureCanvas", "FigureManager", "show"]

OUTPUTS = Path("/tmp/outputs")  # noqa: S108


def show(*_arguments: object, **_options: object) -> None:
    """Save every open figure under the first number that is free, and close it."""
    number = 1
    for manager in Gcf.get_all_fig_managers():
        while (path := OUTPUTS / f"figure-{number}.png").exists():
            number += 1
        manager.canvas.figure.savefig(path)
    Gcf.destroy_all()
