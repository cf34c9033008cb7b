"""The relay: binary websockets and files on one side, API Gateway's text dialect on the other. It is stateless."""
