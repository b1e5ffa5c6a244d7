# For CPUs:         docker build -t palette .
# For NVIDIA GPUs:  docker build -t palette:cuda --build-arg TORCH_INDEX=https://pypi.org/simple .
FROM python:3.11-slim

# Where torch comes from: of the two builds that an index offers pip takes this one's, as it is
# newer by its suffix (2.15.0+cpu). PyPI's own brings CUDA.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

WORKDIR /src
COPY . .
RUN pip install --no-cache-dir --constraint constraints.txt --extra-index-url "$TORCH_INDEX" '.[ray]'

# What is measured once is kept here, for any user that the container runs as.
ENV XDG_CACHE_HOME=/tmp/cache
WORKDIR /work
ENTRYPOINT ["palette"]
CMD ["--help"]
