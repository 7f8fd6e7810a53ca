"""`python -m openwa_store` is the `openwa` command."""

import signal
import sys

from openwa_store import _native


def main() -> int:
    # Python would only note Ctrl-C, and look at the note after the command has ended.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _native._run_command(["openwa", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
