"""Neural networks in NumPy: parameters, initializers, cells and layers."""
