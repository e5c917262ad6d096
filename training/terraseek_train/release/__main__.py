"""`python -m terraseek_train.release CHECKPOINT PLAN.json`: see `release.release`."""

import typer

from terraseek_train.release.release import main

if __name__ == "__main__":
    typer.run(main)
