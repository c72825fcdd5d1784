# The images without Triton, a target each: `client`, `gateway` and `export`.
#
# docker build --file docker/slim.Dockerfile --target client --tag tts-client .
ARG PYTHON=3.12-slim-bookworm
ARG IMAGE=docker.io/library/python:${PYTHON}

FROM ${IMAGE} AS base
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp PATH=/opt/venv/bin:${PATH}
WORKDIR /opt/tts

# pip and its leavings stay here.
FROM base AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python3 -m venv /opt/venv
COPY pyproject.toml README.md LICENSE docker/constraints.txt ./

FROM packages AS client-packages
RUN pip install --constraint constraints.txt .

FROM client-packages AS gateway-packages
RUN pip install --constraint constraints.txt ".[gateway]"

FROM client-packages AS export-packages
# PyTorch without CUDA: graphs are made and checked on the processor; numpy as the exporter's tests had it.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --constraint constraints.txt --extra-index-url "${TORCH_INDEX}" "numpy<2" ".[export,models]"

FROM base AS export
COPY --from=export-packages /opt/venv /opt/venv
COPY client client
COPY export export
COPY server server
COPY model_repository/aligner model_repository/aligner
COPY model_repository/postprocess model_repository/postprocess
COPY model_repository/text_frontend model_repository/text_frontend
COPY model_repository/tts model_repository/tts
COPY docker/export-voices docker/export-voices
RUN python3 -m compileall -q client export server \
    && mkdir /models /checkpoints \
    && chown 1000:1000 /models /checkpoints
ENV TTS_REPOSITORY=/models TTS_CHECKPOINTS=/checkpoints
USER 1000:1000
ENTRYPOINT ["docker/export-voices"]

FROM base AS gateway
COPY --from=gateway-packages /opt/venv /opt/venv
COPY client client
COPY server server
RUN python3 -m compileall -q client server
USER 1000:1000
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 CMD ["python3", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health/live', timeout=4)"]
ENTRYPOINT ["python3", "-m", "server", "gateway"]
CMD ["--host", "0.0.0.0", "--server", "server:8001", "--metrics-server", "server:8002"]

FROM base AS client
COPY --from=client-packages /opt/venv /opt/venv
COPY client client
RUN python3 -m compileall -q client
USER 1000:1000
ENTRYPOINT ["python3", "-m", "client"]
CMD ["--help"]
