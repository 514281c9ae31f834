"""``nighttrain``, which is the same as ``python -m cli``."""

from __future__ import annotations

import logging
import os
import sys


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        # Here and not above: whoever interrupts the import has begun nothing, and is told so in a word.
        from common.lean_import import uncollected

        with uncollected():
            if sys.argv[1:2] == ["run"]:
                from cli.arguments import OUT
                from cli.local.head_start import begin

                begin(sys.argv[2:], OUT)
            from cli import app
        return app.main()
    except KeyboardInterrupt:
        from cli.local.interrupt import EXIT_INTERRUPTED

        print("nighttrain: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    finally:
        if "cli.local.head_start" in sys.modules:
            from cli.local.head_start import call_off

            call_off()


def leave(code: int) -> None:
    """End this process: taking a thousand modules apart would but hold up who waits for the end."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def start() -> None:
    """Run the command line as a process of its own, and end it."""
    leave(main())


if __name__ == "__main__":
    start()
