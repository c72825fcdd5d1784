"""Tests of the monitoring, around one real server and one real Prometheus."""
