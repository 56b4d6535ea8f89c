# batcher as a container: docs/container.md says how it is run.
#
#   docker build -t batcher .
#
# Both stages are the same Python, the one that requirements/ is pinned for.
FROM python:3.11-slim-bookworm AS build

# What builds and what is installed is pinned by hash; only wheels, so that nothing is run here.
COPY requirements/build.txt requirements/runtime.txt /requirements/
RUN python -m venv /build \
 && /build/bin/pip install --no-cache-dir --only-binary :all: --require-hashes \
      -r /requirements/build.txt \
 && python -m venv --without-pip /opt/batcher \
 && /build/bin/pip --python /opt/batcher/bin/python install --no-cache-dir --only-binary :all: \
      --require-hashes -r /requirements/runtime.txt

COPY pyproject.toml README.md LICENSE /source/
COPY batcher /source/batcher
RUN /build/bin/pip wheel --no-cache-dir --no-deps --no-index --no-build-isolation -w /wheels /source \
 && /build/bin/pip --python /opt/batcher/bin/python install --no-cache-dir --no-deps --no-index \
      /wheels/*.whl

FROM python:3.11-slim-bookworm

LABEL org.opencontainers.image.title="batcher" \
      org.opencontainers.image.description="Send every row of a prompt file through a language model, once, and keep every answer." \
      org.opencontainers.image.licenses="Apache-2.0"

COPY --from=build /opt/batcher /opt/batcher

# HOME is for libraries that want one: any user has it, also where the root is read-only.
ENV PATH=/opt/batcher/bin:$PATH HOME=/tmp

# Only a mount can be written to: what is paid for must not end with the container.
WORKDIR /work

# A number, so that Kubernetes can see that it is not root.
USER 10001:10001

# It hears signals as process 1 as well: batcher then ends the calls in flight, in at most 25 s.
STOPSIGNAL SIGTERM
ENTRYPOINT ["batcher"]
CMD ["--help"]
