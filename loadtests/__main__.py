"""`docshard load …`, as a program of its own: `python -m loadtests`.

Exit status 0 ok, 1 a goal was missed or B is worse than A, 2 usage.
"""

import click

from loadtests.comparison.command import compare_runs
from loadtests.report.command import report_run
from loadtests.run import run_scenario


@click.group(name="load")
def main() -> None:
    """Load a fleet; show and compare what was measured."""


main.add_command(run_scenario)
main.add_command(report_run)
main.add_command(compare_runs)


if __name__ == "__main__":
    main(prog_name="docshard load")
