"""`python -m mmnb` is `mmnb`."""

from mmnb.cli import main

if __name__ == "__main__":
    main(prog_name="mmnb")
