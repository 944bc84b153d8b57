"""`docshard load …`, as a program of its own: `python -m loadtests`.

Exit status 0 ok, 1 a goal was missed or B is worse than A, 2 usage.
"""

import click


@click.group(name="load")
def main() -> None:
    """Load a fleet; show and compare what was measured."""


if __name__ == "__main__":
    main(prog_name="docshard load")
