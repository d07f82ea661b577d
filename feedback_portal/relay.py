"""The relay: one small process that sees which stages have rows due and rings their workers.

It is the only part that publishes. Web processes hold no broker connection, so a frozen broker cannot slow a submission;
a ring that is lost is rung again, since the rows still lie there.
"""

import time
from collections.abc import Callable, Sequence

import kombu.exceptions
import redis
import structlog
from django.apps import apps
from django.conf import settings
from django.db import connection, utils

from feedback_portal.celery import PIPELINE, Stage, app

log = structlog.get_logger("portal.relay")

LOOK_EVERY = 0.03
# More rings than these waiting in a queue would only find the rows gone.
_MOST_WAITING = 4


def stages_due(stages: Sequence[Stage] = PIPELINE) -> list[Stage]:
    """The stages with at least one row due: one statement, one probe of a partial index a stage."""
    probes = []
    for number, stage in enumerate(stages):
        table = connection.ops.quote_name(apps.get_model(stage.model)._meta.db_table)
        probes.append(
            f"SELECT {number} WHERE EXISTS (SELECT FROM {table} WHERE completed_at IS NULL"
            " AND parked_at IS NULL AND next_attempt_at <= statement_timestamp())"
        )
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(probes))
        return [stages[row[0]] for row in cursor.fetchall()]


def ring(stage: Stage, client: redis.Redis) -> bool:
    """Send the stage's argument-free task, unless enough rings wait already."""
    if int(client.llen(stage.queue)) >= _MOST_WAITING:
        return False
    app.send_task(stage.task, queue=stage.queue, retry=False)
    return True


def run(*, keep_going: Callable[[], bool], pause: float = LOOK_EVERY) -> None:
    """Look and ring until told to stop; troubles of the database or the broker are waited out with growing pauses."""
    # The relay must notice a frozen broker quickly, and workers need longer time-outs than it does.
    app.conf.broker_transport_options = app.conf.broker_transport_options | {
        "socket_timeout": 2,
        "socket_connect_timeout": 1,
    }
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=1)
    trouble = 0
    while keep_going():
        try:
            for stage in stages_due():
                ring(stage, client)
            trouble = 0
        except (utils.OperationalError, utils.InterfaceError) as error:
            trouble += 1
            log.warning("database unreachable", error=type(error).__name__)
            connection.close()
        except (redis.RedisError, kombu.exceptions.KombuError, OSError) as error:
            trouble += 1
            log.warning("broker unreachable", error=type(error).__name__)
        time.sleep(min(5.0, pause * 2**trouble))
