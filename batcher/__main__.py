"""`python -m batcher` is the console script `batcher`."""

from batcher.cli import main

if __name__ == "__main__":
    main()
