"""`python -m local`: the local servers and the local run."""

from local.commands import app

if __name__ == "__main__":
    app()
