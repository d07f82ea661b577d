#!/usr/bin/env python3
"""The portal's commands, on the services of the running portal or on those the environment names."""

import os
import sys
import warnings


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feedback_portal.settings")
    from feedback_portal.local import paths, running

    try:
        running.prepare(sys.argv[1:])
    except paths.CannotStart as reason:
        sys.exit(str(reason))

    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    # makemigrations looks at the database, and works without one.
    warnings.filterwarnings("ignore", "Got an error checking a consistent migration history", RuntimeWarning)
    try:
        execute_from_command_line(sys.argv)
    except OperationalError:
        if running.is_nowhere():
            sys.exit(running.NOT_RUNNING)
        raise


if __name__ == "__main__":
    main()
