"""`python -m palette` is the command line."""

from __future__ import annotations

import sys

from palette.cli.main import main

sys.exit(main())
