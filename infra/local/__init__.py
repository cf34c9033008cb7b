"""Lamplighter on one machine: an embedded AWS engine, a gateway, workers, and what starts them."""
