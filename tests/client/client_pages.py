"""A metrics page as a server shows it."""

from __future__ import annotations

PAGE = """\
# HELP nv_inference_request_success Number of successful inference requests
# TYPE nv_inference_request_success counter
nv_inference_request_success{model="demo_melgan",version="1"} 12
nv_inference_request_success{model="tts",version="1"} 5
# TYPE nv_inference_request_failure counter
nv_inference_request_failure{model="tts",reason="OTHER",version="1"} 1
nv_inference_request_failure{model="tts",reason="CANCELED",version="1"} 2
# TYPE nv_inference_count counter
nv_inference_count{model="demo_melgan",version="1"} 12
nv_inference_count{model="tts",version="1"} 5
nv_inference_count{model="idle",version="1"} 0
# TYPE nv_inference_exec_count counter
nv_inference_exec_count{model="demo_melgan",version="1"} 5
nv_inference_exec_count{model="tts",version="1"} 5
# TYPE nv_inference_pending_request_count gauge
nv_inference_pending_request_count{model="demo_melgan",version="1"} 3
# TYPE nv_cache_num_hits_per_model counter
nv_cache_num_hits_per_model{model="demo_melgan",version="1"} 4
# TYPE nv_cache_num_misses_per_model counter
nv_cache_num_misses_per_model{model="demo_melgan",version="1"} 8
# TYPE tts_requests_total counter
tts_requests_total{outcome="ok"} 5
tts_requests_total{outcome="unavailable"} 2
# TYPE tts_in_flight gauge
tts_in_flight 2
# TYPE tts_waiting gauge
tts_waiting 1
# TYPE tts_refused_total counter
tts_refused_total{reason="overloaded"} 2
# TYPE tts_degradation_step gauge
tts_degradation_step 1
# TYPE tts_audio_seconds_total counter
tts_audio_seconds_total 123.456
# TYPE tts_synthesis_seconds_total counter
tts_synthesis_seconds_total 12.3456
# TYPE tts_first_audio_seconds_bucket counter
tts_first_audio_seconds_bucket{le="0.1"} 3
tts_first_audio_seconds_bucket{le="+Inf"} 5
# TYPE tts_first_audio_seconds_sum counter
tts_first_audio_seconds_sum 0.5
# TYPE tts_first_audio_seconds_count counter
tts_first_audio_seconds_count 5
# TYPE tts_oldest_wait_seconds gauge
tts_oldest_wait_seconds 3.25
# TYPE tts_memory_used_fraction gauge
tts_memory_used_fraction{where="host"} 0.25
tts_memory_used_fraction{where="gpu"} 0.5
# TYPE tts_out_of_memory_total counter
tts_out_of_memory_total 2
# TYPE tts_model_unhealthy gauge
tts_model_unhealthy{model="aligner"} 1
tts_model_unhealthy{model="postprocess"} 0
# TYPE tts_voice_loads_total counter
tts_voice_loads_total{voice="demo"} 1
# TYPE tts_voice_unloads_total counter
tts_voice_unloads_total{voice="demo",reason="idle"} 1
tts_voice_unloads_total{voice="demo",reason="memory"} 2
# TYPE nv_something_new gauge
nv_something_new 7
"""
