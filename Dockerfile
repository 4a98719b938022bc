# The base is the Lambda runtime's own image, not the SAM build image: it is a fraction of the size, so a
# workflow's job starts sooner, and wheels are only copied here, never compiled.
ARG BASE_IMAGE=public.ecr.aws/lambda/python:3.13
# Bytecode belongs to one minor version of Python. These images have the interpreters of other runtimes; the
# part that compiles is kept. It runs here, as the C library of the base image is as new as theirs or newer.
ARG PYTHON_3_11_IMAGE=public.ecr.aws/lambda/python:3.11
ARG PYTHON_3_12_IMAGE=public.ecr.aws/lambda/python:3.12

FROM ${PYTHON_3_11_IMAGE} AS python3.11
COPY image/keep_interpreter.py /src/
COPY entrypoint /src/entrypoint
RUN python3 -I /src/keep_interpreter.py /kept

FROM ${PYTHON_3_12_IMAGE} AS python3.12
COPY image/keep_interpreter.py /src/
COPY entrypoint /src/entrypoint
RUN python3 -I /src/keep_interpreter.py /kept

FROM ${BASE_IMAGE} AS build
COPY requirements/build.txt /src/requirements/
RUN python3 -m pip install --no-cache-dir --require-hashes -r /src/requirements/build.txt
COPY pyproject.toml README.md LICENSE /src/
COPY entrypoint /src/entrypoint
COPY hooks /src/hooks
COPY examples/quickstart /src/examples/quickstart
COPY docs/rules.md /src/docs/rules.md
RUN python3 -m pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist /src

FROM ${BASE_IMAGE}
COPY --from=python3.11 /kept /
COPY --from=python3.12 /kept /
COPY requirements/image.txt image/keep_services.py /tmp/
RUN python3 -m pip install --no-cache-dir --root-user-action=ignore --require-hashes -r /tmp/image.txt \
  && python3 -I /tmp/keep_services.py && rm /tmp/image.txt /tmp/keep_services.py
# `diff` and `rollback` read revisions, and `--artifacts` and `--cache` refuse folders that git tracks.
RUN command -v git || { microdnf install -y --setopt=install_weak_deps=0 git-core && microdnf clean all; }
COPY --from=build /dist /tmp/dist
RUN python3 -m pip install --no-cache-dir --root-user-action=ignore --no-deps /tmp/dist/*.whl && rm -r /tmp/dist
# It runs as root: GitHub's runner mounts the workspace, the files for outputs and the Docker socket of a container
# action with the runner's user and group, which this image cannot know, and its documentation says not to use USER.
# Elsewhere, run it as any user: docker run --user (README, "Locally, with Docker").
# https://docs.github.com/en/actions/reference/workflows-and-actions/dockerfile-support#user
LABEL org.opencontainers.image.title="Lambda Layer Pipeline" \
  org.opencontainers.image.description="Build, publish and roll out AWS Lambda layers for Python" \
  org.opencontainers.image.source="https://github.com/lambda-layer-pipeline/lambda-layer-pipeline" \
  org.opencontainers.image.licenses="MIT"
# The console script, never `python -m`: that would run an `entrypoint` package of the user's checkout.
ENTRYPOINT ["lambda-layers"]
