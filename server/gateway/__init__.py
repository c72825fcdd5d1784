"""The HTTP gateway: OpenAI's speech API and the web page in front of a server.

``server.gateway.app`` needs the extra ``gateway``; nothing else of the server does.
"""
