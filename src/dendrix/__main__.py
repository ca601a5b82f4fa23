"""`python -m dendrix`, the same as the command `dendrix`."""

import sys

from .cli import main

sys.exit(main())
