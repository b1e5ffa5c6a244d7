# docker build -t palette .
FROM python:3.11-slim

# An index with a smaller torch for CPUs alone, which pip reads; without it torch comes with CUDA.
ARG PIP_EXTRA_INDEX_URL

WORKDIR /src
COPY . .
RUN pip install --no-cache-dir --constraint constraints.txt '.[ray]'

# What is measured once is kept here, for any user that the container runs as.
ENV XDG_CACHE_HOME=/tmp/cache
WORKDIR /work
ENTRYPOINT ["palette"]
CMD ["--help"]
