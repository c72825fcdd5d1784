"""`scripts/perf`: the load test of the service, by NVIDIA's perf_analyzer."""
