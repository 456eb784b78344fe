"""Is every stored bit of real models within reach? Files, inputs, and faults that must land."""
