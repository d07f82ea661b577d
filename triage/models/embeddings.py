"""Vectors of texts, kept so that no text is encoded twice."""

from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Now
from django.db.models.lookups import Exact

HASH_BYTES = 32
VECTOR_BYTES = 2 * 384


def _has_bytes(name: str, number: int) -> Q:
    length = Func(F(name), function="octet_length", output_field=models.IntegerField())
    return Q(Exact(length, number))


class Embedding(models.Model):
    """What one encoder made of one text, by the text's hash. A cache: a row deleted is made again when it is asked for.

    Which items have the text is told by `Analysis.text_hash`.
    """

    pk = models.CompositePrimaryKey("text_hash", "fingerprint")
    text_hash = models.BinaryField()
    fingerprint = models.CharField(max_length=16)
    # 384 numbers of 16 bits, the little end first.
    vector = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(condition=_has_bytes("text_hash", HASH_BYTES), name="embedding_hash_is_whole"),
            models.CheckConstraint(condition=_has_bytes("vector", VECTOR_BYTES), name="embedding_vector_is_whole"),
        ]
