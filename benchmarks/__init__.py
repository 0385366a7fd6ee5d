"""Benchmarks: ours against the peers, checked before timed. `python benchmarks/run.py --help`."""
