"""`python -m cli.reference` writes the generated documents."""

from cli.reference import write

for changed in write():
    print(f"written: {changed}")
