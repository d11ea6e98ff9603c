# `just` lists these; each line also runs by itself.

_default:
    @just --list

# Everything that has to pass before a change goes in.
all: lint test

test *args:
    uv run --no-editable --group test pytest {{args}}

lint:
    uv run --group dev ruff check . --config 'extend-exclude=["examples"]'
    uv run --group dev ruff format --check . --config 'extend-exclude=["examples"]'
    uv run --group dev mypy
    uv run --group dev lint-imports
    uv run --group dev python scripts/docs.py --check

# Write the generated pages anew.
docs:
    uv run --group dev python scripts/docs.py

demo:
    uv run --extra demo tidegate demo

bench *args:
    uv run --group test python bench/boot.py {{args}}

# The gate's tests against other versions of Python, the frameworks and the drivers.
matrix *args:
    uv run --group dev python scripts/matrix.py {{args}}

# The inside as one file, for images that want nothing installed.
pyz:
    uv run --group dev python scripts/build_pyz.py
