"""``python -m cli``, which is the same as ``nighttrain``."""

from __future__ import annotations

import sys

from cli.app import main

if __name__ == "__main__":
    sys.exit(main())
