"""The cases of benchmarks/gpu.py: one module per family, each with CASES, and what times and checks them."""

# Each family's share of the time that is left for measuring; the first ones are measured first.
FAMILIES = {"gemm": 20, "conv": 20, "attention": 15, "rnn": 15, "memory_bound": 20, "training": 10}
