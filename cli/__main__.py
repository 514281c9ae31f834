"""``nighttrain``, which is the same as ``python -m cli``."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress

from cli.screen.outlet import Outlet, opened


def main() -> int:
    """Run the command line and return its exit code."""
    words = sys.argv[1:]
    try:
        # Here and not above: whoever interrupts the import is told so in a word.
        from common.lean_import import uncollected

        with uncollected():
            if words[:1] == ["run"] and not {"-h", "--help"} & set(words):
                # An image without trainers has the command say so.
                with suppress(ModuleNotFoundError):
                    from cli.arguments import OUT
                    from cli.local.head_start import begin

                    begin(words[1:], OUT)
            from cli import app
        return app.main()
    except KeyboardInterrupt:
        from cli.local.interrupt import EXIT_INTERRUPTED

        print("nighttrain: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    finally:
        begun = sys.modules.get("cli.local.head_start")
        if begun is not None:
            begun.call_off()


def leave(code: int) -> None:
    """End this process: taking a thousand modules apart would but hold up who waits for the end."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def start() -> None:
    """Run the command line as a process of its own, and end it."""
    sys.stdout, sys.stderr = opened(sys.stdout), opened(sys.stderr)
    code = main()
    sys.stdout.flush()
    if isinstance(sys.stdout, Outlet) and sys.stdout.problem:
        rest = "" if code else "; all else is done"
        missing = f"some words may be missing on standard output: {sys.stdout.problem}"
        print(f"nighttrain: {missing}{rest}", file=sys.stderr)
        code = code or 1
    leave(code)


if __name__ == "__main__":
    start()
