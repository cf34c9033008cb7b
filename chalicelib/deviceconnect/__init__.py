"""Remote access: sessions between operators and devices, over websockets that a gateway holds."""
