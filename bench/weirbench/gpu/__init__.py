"""Kernels and models on a GPU beside its peers: `bench/gpu`, docs/benchmarks.md.

`kit` compiles where there is no GPU; what else is here goes along in the kit and
needs Python and NumPy there, and for the peers torch.
"""
