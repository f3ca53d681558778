"""What the front page adds up of payments is found by time, like what is spent (operation_spent_by_time)."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_balance_follows"), ("telegram_bot", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "CREATE INDEX operation_paid_by_time ON billing_balanceoperation (created_at)"
            " WHERE kind IN ('top_up', 'refund', 'refund_return', 'chargeback')",
            "DROP INDEX operation_paid_by_time",
        ),
    ]
