"""Which test runs a command of the documentation: the first pattern that it matches says so."""

from __future__ import annotations

HERE = "here"
"""It is run with the documentation's own tests."""

RUN_BY: tuple[tuple[str, str], ...] = (
    (r"python -m client .*--play", "client/test_client_player.py::test_the_finished_audio_is_played"),
    (r"python -m client .*\| ffmpeg", "client/test_client_process.py::test_a_pipe_gets_wav_as_it_comes"),
    (r"python -m client .*--ca ", "service/test_secured.py::test_the_commands_of_the_documentation_speak_and_list"),
    (r"python -m client .*--voice zhitian", "service/test_sambert.py::test_the_command_line_speaks_with_an_emotion"),
    (r"python -m client .*--voice sculptor", "service/test_sculptor.py::test_the_command_line_designs_a_voice"),
    (r"python -m client (un)?load", "service/test_command_line.py::test_a_voice_is_unloaded_and_loaded_again"),
    (r"python -m client .*\w:8001,\w", "service/test_two_servers.py::test_requests_are_shared"),
    (r"python -m client ", HERE),
    (r"scripts/demo ", "service/test_command_line.py::test_a_sentence_becomes_a_file_of_the_kind_its_name_ends_with"),
    (r"scripts/serve --host", "service/test_secured.py::secured"),
    (r"scripts/serve --trace", "monitoring/test_one_trace.py::test_a_request_is_one_trace_through_every_stage"),
    (r"scripts/serve", "server/test_server_command.py::test_a_signal_stops_the_server_with_exit_code_0"),
    (
        r"scripts/gateway .*--ca ",
        "service/test_secured.py::test_the_gateway_of_the_documentation_speaks_by_https_to_who_has_a_token",
    ),
    (r"scripts/gateway", "gateway/conftest.py::gateway"),
    (
        r"scripts/certificates ",
        "server/test_security_certificates.py::test_the_made_files_serve_and_are_accepted_and_the_keys_are_the_owners_alone",
    ),
    (r"scripts/bench capacity", "bench/test_capacity.py::test_the_page_has_the_tables_that_the_command_makes"),
    (r"scripts/bench gpu", "bench/gpu/test_gpu_sections.py::test_every_section_has_a_result"),
    (r"scripts/perf ", "perf/test_perf_run.py::test_the_ensemble_the_router_and_a_stage_in_shared_memory_are_measured"),
    (
        r"scripts/distill_hifigan",
        "export/test_distill.py::test_a_run_leaves_a_generator_its_config_and_where_it_comes_from",
    ),
    (r"python -m export vocoder ", "export/test_attach.py::test_the_command_says_what_the_voice_has_now"),
    (
        r"python -m export verify ",
        "export/test_export_cli.py::test_verify_prints_one_json_object_and_exits_with_1_past_the_tolerance",
    ),
    (r"python -m export (voice|untrained) ", "conftest.py::_exported"),
    (
        r"(mv|rm -r) .*zhitian",
        "service/test_sambert.py::test_a_voice_is_taken_away_and_brought_back_while_the_server_runs",
    ),
    (r"curl .*/v1/", "gateway/test_documented.py::test_a_call_of_the_page_is_answered"),
    (r"\.venv/bin/pdoc ", "docs/test_reference.py::test_the_reference_is_made_by_its_command"),
    (r"docker compose ", "docker/test_compose.py::test_every_combination_of_the_files_is_valid"),
    (
        r"kubectl .*kustomize ",
        "docker/test_kubernetes.py::test_every_object_is_valid_and_has_no_field_that_kubernetes_does_not_know",
    ),
)

NOT_RUN: tuple[tuple[str, str], ...] = (
    (r"scripts/(test|setup)$", "it is what runs the tests"),
    (r"python -m export voice fastspeech2", "scripts/setup has run it before the tests"),
    (r"(docker/build-engines|python -m export engines) ", "needs TensorRT and a GPU"),
    (r"\.venv/bin/pip ", "changes the packages of the machine"),
    (r"LD_LIBRARY_PATH=\S+ \S+perf_analyzer ", "is what scripts/perf runs"),
    (r"modelscope |git (lfs|clone) |mkdir ", "downloads what belongs to others"),
    (r"python -m export\.style\.train", "a quarter of an hour"),
    (r'python -c "', "converts a file that others have made"),
    (r"(cp|chmod|openssl) ", "a program of the system"),
    (r"(kubectl --namespace|helm) ", "needs a cluster"),
    (r"docker (build|run) ", "needs Docker's engine"),
    (r"scripts/bench (gateway|page)", "minutes of measuring, of what tests/gateway and tests/page do"),
    (r"scripts/quality ", "half a gigabyte of packages, and ten minutes"),
)
"""What no test runs, and why."""
