"""One recurrent network in five exports: audio, matched weights, the same faults in all."""
