"""Remote access: sessions between operators and devices, over websockets that end somewhere else."""
