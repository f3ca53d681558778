# One image for every role; docker-compose.yml says which one a container plays.
FROM python:3.12-slim-bookworm

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /app

COPY requirements.txt .
RUN pip install --requirement requirements.txt

COPY . .
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin starling \
    && install --directory --owner starling --mode 0700 /app/.local

USER starling
ENV WEB_HOST=0.0.0.0 \
    WEB_PORT=8000
EXPOSE 8000

CMD ["sh", "-c", "exec uvicorn config.asgi:application --host ${WEB_HOST:-127.0.0.1} --port ${WEB_PORT:-8000} --lifespan off --no-access-log --no-server-header --timeout-graceful-shutdown 10"]
