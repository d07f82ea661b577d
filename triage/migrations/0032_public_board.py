import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("triage", "0031_tellings_in_parts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name="themeevent",
            name="type",
            field=models.CharField(
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
                    ("decided", "decided about it"),
                    ("posted", "put it on the board"),
                    ("unposted", "took it off the board"),
                ],
                max_length=9,
            ),
        ),
        migrations.CreateModel(
            name="BoardPost",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("title", models.CharField(max_length=160)),
                ("text", models.TextField(blank=True, default="")),
                ("published_at", models.DateTimeField(null=True)),
                ("version", models.PositiveIntegerField(db_default=1, default=1)),
                (
                    "theme",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="board_post", to="triage.theme"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="MeToo",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("voter", models.CharField(max_length=64)),
                ("said_at", models.DateTimeField()),
                (
                    "post",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="me_toos",
                        to="triage.boardpost",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Board",
            fields=[
                ("only", models.BooleanField(default=True, primary_key=True, serialize=False)),
                ("is_open", models.BooleanField(default=False)),
                ("intro", models.TextField(blank=True, default="")),
                ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "person",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("only", True)), name="board_is_one_row")],
            },
        ),
        migrations.AddIndex(
            model_name="boardpost",
            index=models.Index(
                condition=models.Q(("published_at__isnull", False)),
                fields=["-published_at", "-id"],
                name="board_post_published",
            ),
        ),
        migrations.AddConstraint(
            model_name="boardpost",
            constraint=models.CheckConstraint(
                condition=models.Q(("title", ""), _negated=True), name="board_post_has_title"
            ),
        ),
        migrations.AddConstraint(
            model_name="metoo",
            constraint=models.UniqueConstraint(fields=("post", "voter"), name="me_too_once"),
        ),
    ]
