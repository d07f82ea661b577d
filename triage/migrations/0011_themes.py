"""Near copies, likely duplicates and themes, and the link that a merge is."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_work_calendars"),
        ("intake", "0012_no_index_twice"),
        ("triage", "0010_which_vector_is_an_items"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Gathering",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("attempts", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("next_attempt_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("lease_token", models.UUIDField(editable=False, null=True)),
                ("completed_at", models.DateTimeField(null=True)),
                ("parked_at", models.DateTimeField(null=True)),
                ("last_error", models.TextField(blank=True, db_default="", default="")),
            ],
        ),
        migrations.CreateModel(
            name="LikelyDuplicate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("copy", "nearly the same words"), ("alike", "the same in other words")], max_length=5
                    ),
                ),
                ("score", models.FloatField()),
                ("reason", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.CreateModel(
            name="NotTheSame",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "because",
                    models.CharField(
                        choices=[
                            ("dismissed", "the suggestion was turned down"),
                            ("unmerged", "the merge was taken apart"),
                        ],
                        max_length=9,
                    ),
                ),
                ("said_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Regrouping",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("attempts", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("next_attempt_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("lease_token", models.UUIDField(editable=False, null=True)),
                ("completed_at", models.DateTimeField(null=True)),
                ("parked_at", models.DateTimeField(null=True)),
                ("last_error", models.TextField(blank=True, db_default="", default="")),
            ],
        ),
        migrations.CreateModel(
            name="Theme",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=160)),
                ("is_named", models.BooleanField(default=False)),
                ("description", models.TextField(blank=True, default="")),
                (
                    "made_by",
                    models.CharField(
                        choices=[("machine", "the portal"), ("person", "a person")], default="machine", max_length=7
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("new", "New"),
                            ("growing", "Growing"),
                            ("regressed", "Back after a fix"),
                            ("resting", "Quiet until it grows"),
                            ("steady", "Steady"),
                        ],
                        default="new",
                        max_length=9,
                    ),
                ),
                ("state_at", models.DateTimeField()),
                ("grew_at", models.DateTimeField(null=True)),
                ("growth", models.JSONField(default=dict)),
                ("rested_at", models.DateTimeField(null=True)),
                ("is_frozen", models.BooleanField(default=False)),
                ("is_shaped", models.BooleanField(default=False)),
                ("retired_at", models.DateTimeField(null=True)),
                ("centre", models.BinaryField(default=b"")),
                ("space", models.CharField(blank=True, default="", max_length=120)),
                (
                    "words",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=80), default=list, size=None
                    ),
                ),
                ("size", models.PositiveIntegerField(default=0)),
                ("customers", models.PositiveIntegerField(default=0)),
                ("first_at", models.DateTimeField(null=True)),
                ("last_at", models.DateTimeField(null=True)),
                ("version", models.PositiveIntegerField(db_default=1, default=1)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.CreateModel(
            name="ThemeAction",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("linked_at", models.DateTimeField()),
                ("unlinked_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="ThemeEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "type",
                    models.CharField(
                        choices=[
                            ("found", "found it"),
                            ("renamed", "renamed it"),
                            ("described", "described it"),
                            ("split", "split it"),
                            ("joined", "joined it"),
                            ("frozen", "froze it"),
                            ("thawed", "let it move again"),
                            ("rested", "put it to rest"),
                            ("woke", "woke it"),
                            ("moved", "moved an item"),
                            ("linked", "linked an action"),
                            ("unlinked", "unlinked an action"),
                            ("grew", "grew beyond its forecast"),
                            ("regressed", "came back after a fix"),
                            ("retired", "gave it up"),
                        ],
                        max_length=9,
                    ),
                ),
                ("data", models.JSONField(default=dict)),
                ("occurred_at", models.DateTimeField()),
                ("recorded_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.CreateModel(
            name="ThemeMember",
            fields=[
                (
                    "item",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="theme_member",
                        serialize=False,
                        to="intake.feedbackitem",
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        choices=[("person", "A person"), ("rule", "A rule"), ("machine", "The portal")],
                        default="machine",
                        max_length=7,
                    ),
                ),
                ("score", models.FloatField(default=1.0)),
                ("reason", models.CharField(blank=True, default="", max_length=200)),
                ("joined_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.CreateModel(
            name="Wording",
            fields=[
                (
                    "item",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="wording",
                        serialize=False,
                        to="intake.feedbackitem",
                    ),
                ),
                ("minhash", models.BinaryField(default=b"")),
                (
                    "bands",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                ("bag", models.BinaryField(default=b"")),
                ("heading", models.BinaryField(default=b"")),
            ],
        ),
        migrations.AddField(
            model_name="ticket",
            name="merged_into",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="merged",
                to="triage.ticket",
            ),
        ),
        migrations.AddField(
            model_name="gathering",
            name="item",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE, related_name="gathering", to="intake.feedbackitem"
            ),
        ),
        migrations.AddField(
            model_name="likelyduplicate",
            name="item",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="likely_originals", to="intake.feedbackitem"
            ),
        ),
        migrations.AddField(
            model_name="likelyduplicate",
            name="other",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="likely_duplicates", to="intake.feedbackitem"
            ),
        ),
        migrations.AddField(
            model_name="notthesame",
            name="first",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="intake.feedbackitem"
            ),
        ),
        migrations.AddField(
            model_name="notthesame",
            name="key",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="accounts.apikey"
            ),
        ),
        migrations.AddField(
            model_name="notthesame",
            name="person",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="notthesame",
            name="second",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="intake.feedbackitem"
            ),
        ),
        migrations.AddField(
            model_name="regrouping",
            name="topic",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="triage.topic"
            ),
        ),
        migrations.AddField(
            model_name="theme",
            name="joined_into",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="joined", to="triage.theme"
            ),
        ),
        migrations.AddField(
            model_name="theme",
            name="topic",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="themes",
                to="triage.topic",
            ),
        ),
        migrations.AddField(
            model_name="themeaction",
            name="action",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="theme_links", to="triage.action"
            ),
        ),
        migrations.AddField(
            model_name="themeaction",
            name="person",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="themeaction",
            name="theme",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="action_links", to="triage.theme"
            ),
        ),
        migrations.AddField(
            model_name="themeevent",
            name="key",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.apikey"
            ),
        ),
        migrations.AddField(
            model_name="themeevent",
            name="person",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="themeevent",
            name="theme",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="events", to="triage.theme"
            ),
        ),
        migrations.AddField(
            model_name="thememember",
            name="person",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="thememember",
            name="theme",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="members",
                to="triage.theme",
            ),
        ),
        migrations.AddField(
            model_name="wording",
            name="copy_of",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="copies", to="intake.feedbackitem"
            ),
        ),
        migrations.AddField(
            model_name="wording",
            name="topic",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="triage.topic",
            ),
        ),
        migrations.AddIndex(
            model_name="gathering",
            index=models.Index(
                condition=models.Q(("completed_at", None), ("parked_at", None)),
                fields=["next_attempt_at", "id"],
                name="gathering_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="likelyduplicate",
            constraint=models.UniqueConstraint(fields=("item", "other"), name="likely_duplicate_once_per_pair"),
        ),
        migrations.AddConstraint(
            model_name="likelyduplicate",
            constraint=models.CheckConstraint(
                condition=models.Q(("other__lt", models.F("item"))), name="likely_duplicate_names_the_earlier"
            ),
        ),
        migrations.AddConstraint(
            model_name="likelyduplicate",
            constraint=models.CheckConstraint(
                condition=models.Q(("score__gte", 0), ("score__lte", 1)), name="likely_duplicate_score_is_share"
            ),
        ),
        migrations.AddConstraint(
            model_name="notthesame",
            constraint=models.UniqueConstraint(fields=("first", "second"), name="not_the_same_once_per_pair"),
        ),
        migrations.AddConstraint(
            model_name="notthesame",
            constraint=models.CheckConstraint(
                condition=models.Q(("first__lt", models.F("second"))), name="not_the_same_in_order"
            ),
        ),
        migrations.AddIndex(
            model_name="regrouping",
            index=models.Index(
                condition=models.Q(("completed_at", None), ("parked_at", None)),
                fields=["next_attempt_at", "id"],
                name="regrouping_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="regrouping",
            constraint=models.UniqueConstraint(
                condition=models.Q(("attempts", 0), ("completed_at", None), ("lease_token", None), ("parked_at", None)),
                fields=("topic",),
                name="regrouping_waits_once",
                nulls_distinct=False,
            ),
        ),
        migrations.AddIndex(
            model_name="theme",
            index=models.Index(
                condition=models.Q(("joined_into", None), ("retired_at", None)),
                fields=["topic", "id"],
                name="theme_living",
            ),
        ),
        migrations.AddIndex(
            model_name="theme",
            index=models.Index(
                condition=models.Q(("joined_into", None), ("retired_at", None)),
                fields=["-size", "-id"],
                name="theme_by_size",
            ),
        ),
        migrations.AddConstraint(
            model_name="theme",
            constraint=models.CheckConstraint(
                condition=models.Q(("joined_into", models.F("id")), _negated=True), name="theme_not_joined_into_itself"
            ),
        ),
        migrations.AddConstraint(
            model_name="theme",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("rested_at__isnull", False), ("state", "resting")),
                    models.Q(models.Q(("state", "resting"), _negated=True), ("rested_at", None)),
                    _connector="OR",
                ),
                name="theme_resting_since",
            ),
        ),
        migrations.AddConstraint(
            model_name="theme",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["new", "growing", "regressed", "resting", "steady"])),
                name="theme_has_known_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="themeaction",
            constraint=models.UniqueConstraint(
                condition=models.Q(("unlinked_at", None)), fields=("theme", "action"), name="theme_action_linked_once"
            ),
        ),
        migrations.AddIndex(
            model_name="themeevent",
            index=models.Index(fields=["theme", "-id"], name="theme_event_newest"),
        ),
        migrations.AddIndex(
            model_name="thememember",
            index=models.Index(fields=["theme", "-item"], name="theme_member_newest"),
        ),
        migrations.AddConstraint(
            model_name="thememember",
            constraint=models.CheckConstraint(
                condition=models.Q(("theme__isnull", False), ("source", "person"), _connector="OR"),
                name="theme_member_in_none_by_a_person",
            ),
        ),
        migrations.AddConstraint(
            model_name="thememember",
            constraint=models.CheckConstraint(
                condition=models.Q(("score__gte", 0), ("score__lte", 1)), name="theme_member_score_is_share"
            ),
        ),
        migrations.AddIndex(
            model_name="wording",
            index=django.contrib.postgres.indexes.GinIndex(
                condition=models.Q(("copy_of", None)), fields=["bands"], name="wording_bands"
            ),
        ),
        migrations.AddIndex(
            model_name="wording",
            index=models.Index(fields=["topic", "-item"], name="wording_by_topic"),
        ),
        migrations.RunSQL(
            "CREATE TRIGGER theme_event_append_only BEFORE UPDATE OR DELETE ON triage_themeevent"
            " FOR EACH ROW EXECUTE FUNCTION refuse_event_change()",
            "DROP TRIGGER theme_event_append_only ON triage_themeevent",
        ),
    ]
