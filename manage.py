#!/usr/bin/env python
"""Django's commands for Starling."""

import sys

from django.core.management import execute_from_command_line

from config.start import one_sentence

if __name__ == "__main__":
    with one_sentence():
        execute_from_command_line(sys.argv)
