"""`python -m docs [NAME]`: write the pages and draw the pictures, all or those whose names begin with NAME."""

import sys

from docs import machines, pictures

if __name__ == "__main__":
    machines.PAGE.write_text(machines.page(), encoding="utf-8")
    for path in pictures.draw_all(*sys.argv[1:2]):
        print(path.relative_to(machines.ROOT), f"{path.stat().st_size / 1024:.0f} kB", flush=True)
