"""The organisation's own words: its topics."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from feedback_portal.accounts.models import Team


class TopicQuerySet(models.QuerySet["Topic"]):
    def above(self) -> dict[str, tuple[str, ...]]:
        """The topics above each topic that has any, nearest first."""
        rows = {pk: (slug, parent) for pk, slug, parent in self.values_list("pk", "slug", "parent")}
        found: dict[str, tuple[str, ...]] = {}
        for pk, (slug, _) in rows.items():
            seen = [pk]
            while (parent := rows[seen[-1]][1]) in rows and parent not in seen:
                seen.append(parent)
            if len(seen) > 1:
                found[slug] = tuple(rows[one][0] for one in seen[1:])
        return found


class Topic(models.Model):
    """A node of the taxonomy. Name, description and keywords are all the day-one tagger knows."""

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True, default="")
    keywords = ArrayField(models.CharField(max_length=80), default=list, blank=True)
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="children")
    # Who gets an item of this topic when no rule says otherwise.
    team = models.ForeignKey(Team, on_delete=models.SET_NULL, null=True, blank=True, related_name="topics")
    is_active = models.BooleanField(default=True)

    objects = TopicQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(parent=models.F("id")), name="topic_not_its_own_parent"),
        ]

    def __str__(self) -> str:
        return self.name
