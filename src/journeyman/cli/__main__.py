"""`python -m journeyman.cli`: the same as the command `journeyman`."""

from journeyman.cli import main

main()
