"""What vendors ask beside what people are charged, what the operator absorbs, and the books of both."""

import billing.columns
import django.db.models.deletion
import django.db.models.functions.datetime
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models


# The operator's own costs are written once, like operations.
KEEP_COSTS = """
CREATE FUNCTION billing_costs_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'absorbed costs are append-only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER costs_stay BEFORE UPDATE OR DELETE ON billing_absorbedcost
    FOR EACH STATEMENT EXECUTE FUNCTION billing_costs_stay();
"""
FREE_COSTS = """
DROP TRIGGER costs_stay ON billing_absorbedcost;
DROP FUNCTION billing_costs_stay();
"""

# Double entry: every operation moves its amount between a person and one of the operator's accounts, and what a
# vendor asks moves from `margin` or `absorbed` to `vendors`. So the sum of all accounts is zero, unless a balance
# is not the sum of its operations.
BOOKS = """
CREATE VIEW billing_books AS
WITH people AS (SELECT COALESCE(SUM(balance), 0) AS have FROM accounts_user),
operations AS (
    SELECT
        COALESCE(SUM(amount) FILTER (WHERE kind IN ('top_up', 'refund', 'refund_return', 'chargeback')), 0) AS stars,
        COALESCE(SUM(amount) FILTER (WHERE kind IN ('usage', 'tool')), 0) AS charged,
        COALESCE(SUM(COALESCE(cost, -amount)) FILTER (WHERE kind IN ('usage', 'tool')), 0) AS asked,
        COALESCE(SUM(amount), 0) AS moved
    FROM billing_balanceoperation
),
absorbed AS (SELECT COALESCE(SUM(cost), 0) AS asked FROM billing_absorbedcost)
SELECT account, amount::numeric(20, 9)
FROM people, operations, absorbed, LATERAL (VALUES
    ('people', people.have),
    ('stars', -operations.stars),
    ('given', -(operations.moved - operations.stars - operations.charged)),
    ('vendors', operations.asked + absorbed.asked),
    ('margin', -operations.charged - operations.asked),
    ('absorbed', -absorbed.asked)
) AS accounts (account, amount);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_preferences_and_forgetting'),
        ('billing', '0004_stars'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='BookAccount',
            fields=[
                ('account', models.CharField(help_text='Its name.', max_length=16, primary_key=True, serialize=False)),
                ('amount', models.DecimalField(decimal_places=9, help_text='Dollars; what is owed to the account is above zero.', max_digits=20)),
            ],
            options={
                'db_table': 'billing_books',
                'ordering': ['account'],
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='AbsorbedCost',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(help_text='Natural id of the call it was asked for.', max_length=200, unique=True)),
                ('kind', models.CharField(choices=[('failed', 'A call that ended before it said anything'), ('title', 'A title that could not be used'), ('late', 'An answer that came when another process had the turn'), ('killed', 'A call whose process was killed: its prompt, as we count it'), ('heard_again', 'A recording that two processes heard')], help_text='Why nobody paid for it.', max_length=16)),
                ('cost', models.DecimalField(decimal_places=9, help_text='Dollars its vendor asks.', max_digits=20)),
                ('details', models.JSONField(blank=True, default=dict, encoder=billing.columns.ExactJSONEncoder, help_text='Model, usage and price behind the cost.')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.AddField(
            model_name='balanceoperation',
            name='cost',
            field=models.DecimalField(blank=True, decimal_places=9, help_text='Of a charge: dollars its vendor asks; empty where that is what was charged.', max_digits=20, null=True),
        ),
        migrations.AlterField(
            model_name='balanceoperation',
            name='balance_after',
            field=models.DecimalField(decimal_places=9, help_text='The balance it left.', max_digits=20),
        ),
        migrations.AddConstraint(
            model_name='balanceoperation',
            constraint=models.CheckConstraint(condition=models.Q(('cost__isnull', True), models.Q(('cost__gte', 0), ('cost__lt', Decimal('100000000000')), ('kind__in', ('usage', 'tool'))), _connector='OR'), name='operation_cost_is_of_a_charge'),
        ),
        migrations.AddField(
            model_name='absorbedcost',
            name='user',
            field=models.ForeignKey(help_text='For whom it was asked.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.user'),
        ),
        migrations.AddIndex(
            model_name='absorbedcost',
            index=models.Index(fields=['created_at'], name='absorbed_cost_by_time'),
        ),
        migrations.AddConstraint(
            model_name='absorbedcost',
            constraint=models.CheckConstraint(condition=models.Q(('key', ''), _negated=True), name='absorbed_cost_has_a_key'),
        ),
        migrations.AddConstraint(
            model_name='absorbedcost',
            constraint=models.CheckConstraint(condition=models.Q(('cost__gt', 0), ('cost__lt', Decimal('100000000000'))), name='absorbed_cost_is_positive'),
        ),
        migrations.RunSQL(KEEP_COSTS, FREE_COSTS),
        migrations.RunSQL(BOOKS, "DROP VIEW billing_books;"),
    ]
