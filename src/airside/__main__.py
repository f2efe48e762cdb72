"""`python -m airside` is the command `airside`."""

from airside.cli.main import main

main()
