"""This service beside other ways to serve the same voice: the systems, the loads, and what comes of them."""
