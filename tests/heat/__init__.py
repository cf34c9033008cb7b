"""Hot keys: the recording of the traffic, and the model of it."""
