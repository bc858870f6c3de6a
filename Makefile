# The commands of the project. Everything that Python needs is installed into .venv by `make setup`.
PYTHON ?= python3
