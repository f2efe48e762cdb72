"""`python -m airside` is the command line."""

from airside.cli.main import main

if __name__ == "__main__":
    main()
