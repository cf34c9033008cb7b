"""The server on one machine: an embedded AWS engine, a gateway, workers, and the program that starts them."""
