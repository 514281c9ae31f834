# Everything that a fresh machine needs besides Python 3.11+ and make is installed into .venv.
PYTHON ?= python3
UV_VERSION := 0.13.9
.DEFAULT_GOAL := help
