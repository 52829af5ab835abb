"""Floor 1: pure measuring instruments. Tensors and callables in, numbers out; no files, no plots, no global state."""
