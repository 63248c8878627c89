"""`python -m docs [NAME]`: write the pages and draw the pictures, all or those whose names begin with NAME.

`python -m docs dashboard` takes those of the dashboard, for which the demo runs for some minutes; they are not among all.
"""

import sys
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from docs import machines, pictures, rig_pictures, rigs


def main(only: str = "") -> None:
    if only == "dashboard":
        # needs a browser, which the other pictures do without
        from docs import screens

        tell(screens.take_all())
        return
    machines.PAGE.write_text(machines.page(), encoding="utf-8")
    drawn = pictures.draw_all(only)
    if not only or only.startswith("rig"):
        if not rigs.DATA.is_dir():
            sys.exit(f"{rigs.DATA} is not there; without the recordings of the rigs their report cannot be made")
        drawn = chain(drawn, rig_pictures.draw_all(rigs.write()))
    tell(drawn)


def tell(drawn: Iterable[Path]) -> None:
    for path in drawn:
        print(path.relative_to(machines.ROOT), f"{path.stat().st_size / 1024:.0f} kB", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:2])
