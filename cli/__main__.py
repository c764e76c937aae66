"""Lets ``python -m cli`` stand for the console script, as torchrun needs it."""

from cli.main import main

if __name__ == "__main__":
    main(prog_name="latentlab")
