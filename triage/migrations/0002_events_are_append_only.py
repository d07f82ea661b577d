"""The database refuses to change or delete an event, except in a transaction that says it erases a person."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION refuse_event_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('portal.erasing', true) = 'on' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION 'events are appended, never changed' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE ON triage_event
    FOR EACH ROW EXECUTE FUNCTION refuse_event_change();
"""

BACKWARD = """
DROP TRIGGER event_append_only ON triage_event;
DROP FUNCTION refuse_event_change();
"""


class Migration(migrations.Migration):
    dependencies = [("triage", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
