"""Figures that the project claims, each as one command: `python -m bench [row]`."""
