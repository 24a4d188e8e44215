"""``python -m drift`` is the command `drift`."""

from drift.cli import main

if __name__ == "__main__":
    main()
