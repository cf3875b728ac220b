"""Times Weir and its peers; docs/benchmarks.md says how."""
