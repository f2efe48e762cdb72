"""The model gateway: wire formats, providers, prices and the HTTP face (`gateway.ModelGateway`)."""
