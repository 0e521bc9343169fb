"""The stages, one file each; `streams/app.py` lists them in flow order."""
