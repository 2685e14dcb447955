"""`python -m hub` is `carehub`."""

from hub.cli import main

main()
