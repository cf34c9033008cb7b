"""Remote access: sessions between operators and devices, over websockets that others hold."""
