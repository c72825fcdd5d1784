"""Speed and memory of the service, measured through the real server."""
