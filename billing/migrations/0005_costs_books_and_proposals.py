"""What vendors ask beside what people are charged, what the operator absorbs, the books of both; prices that wait to
be approved, and large vouchers that wait for a second pair of eyes."""

import billing.columns
import django.db.models.deletion
import django.db.models.expressions
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

# A large voucher that was good stays good: nobody can be asked any more.
CONFIRM_OLD = "UPDATE billing_voucher SET confirmed_at = created_at WHERE usd * uses > 50"


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_grants_and_bans'),
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
        migrations.CreateModel(
            name='PriceProposal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('item', models.CharField(help_text='Exact model id, or the id of a unit.', max_length=128)),
                ('input', models.DecimalField(blank=True, decimal_places=9, help_text='Dollars per million tokens.', max_digits=20, null=True)),
                ('output', models.DecimalField(blank=True, decimal_places=9, help_text='Dollars per million tokens, thinking included.', max_digits=20, null=True)),
                ('cache_read', models.DecimalField(blank=True, decimal_places=9, help_text='Dollars per million tokens read from a cache.', max_digits=20, null=True)),
                ('cache_write_5m', models.DecimalField(blank=True, decimal_places=9, help_text='Dollars per million tokens written to a cache of five minutes.', max_digits=20, null=True)),
                ('cache_write_1h', models.DecimalField(blank=True, decimal_places=9, help_text='Dollars per million tokens written to a cache of an hour.', max_digits=20, null=True)),
                ('long_above', models.PositiveIntegerField(blank=True, help_text='Prompts of more tokens than this are charged at the long rates.', null=True)),
                ('long_input', models.DecimalField(blank=True, decimal_places=9, help_text='The input rate of a long prompt.', max_digits=20, null=True)),
                ('long_output', models.DecimalField(blank=True, decimal_places=9, help_text='The output rate behind a long prompt.', max_digits=20, null=True)),
                ('long_cache_read', models.DecimalField(blank=True, decimal_places=9, help_text='The cache read rate of a long prompt.', max_digits=20, null=True)),
                ('long_cache_write_5m', models.DecimalField(blank=True, decimal_places=9, help_text="The rate of a long prompt's writes to a cache of five minutes.", max_digits=20, null=True)),
                ('long_cache_write_1h', models.DecimalField(blank=True, decimal_places=9, help_text="The rate of a long prompt's writes to a cache of an hour.", max_digits=20, null=True)),
                ('web_search', models.DecimalField(blank=True, decimal_places=9, help_text="Dollars for one web search by this model's vendor.", max_digits=20, null=True)),
                ('per_unit', models.DecimalField(blank=True, decimal_places=9, help_text='Dollars for one unit, when this is no model.', max_digits=20, null=True)),
                ('display_order', models.PositiveSmallIntegerField(default=100, help_text='Its place among the models that are offered; the smallest first.')),
                ('source', models.CharField(help_text='Where the numbers are from.', max_length=64)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('effective_from', models.DateTimeField(blank=True, help_text='The day its vendor announced; empty: from its approval on.', null=True)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('approved', 'Approved'), ('refused', 'Refused'), ('outdated', 'Outdated: the source says something newer')], default='waiting', help_text='What became of it.', max_length=16)),
                ('decided_at', models.DateTimeField(blank=True, help_text='When it was approved or refused.', null=True)),
                ('reason', models.CharField(blank=True, help_text='Why it was approved or refused.', max_length=500)),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
            },
        ),
        migrations.AddField(
            model_name='balanceoperation',
            name='cost',
            field=models.DecimalField(blank=True, decimal_places=9, help_text='Of a charge: dollars its vendor asks; empty where that is what was charged.', max_digits=20, null=True),
        ),
        migrations.AddField(
            model_name='voucher',
            name='confirmed_at',
            field=models.DateTimeField(blank=True, editable=False, help_text='When they did; until then nobody can redeem it.', null=True),
        ),
        migrations.AddField(
            model_name='voucher',
            name='confirmed_by',
            field=models.ForeignKey(blank=True, editable=False, help_text='Of a large one: who else of the staff agreed.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AlterField(
            model_name='balanceoperation',
            name='balance_after',
            field=models.DecimalField(decimal_places=9, help_text='The balance it left.', max_digits=20),
        ),
        migrations.AlterField(
            model_name='price',
            name='cache_read',
            field=models.DecimalField(blank=True, decimal_places=9, help_text='Dollars per million tokens read from a cache.', max_digits=20, null=True),
        ),
        migrations.AlterField(
            model_name='price',
            name='cache_write_1h',
            field=models.DecimalField(blank=True, decimal_places=9, help_text='Dollars per million tokens written to a cache of an hour.', max_digits=20, null=True),
        ),
        migrations.AlterField(
            model_name='price',
            name='cache_write_5m',
            field=models.DecimalField(blank=True, decimal_places=9, help_text='Dollars per million tokens written to a cache of five minutes.', max_digits=20, null=True),
        ),
        migrations.AlterField(
            model_name='price',
            name='display_order',
            field=models.PositiveSmallIntegerField(default=100, help_text='Its place among the models that are offered; the smallest first.'),
        ),
        migrations.AlterField(
            model_name='price',
            name='effective_from',
            field=models.DateTimeField(help_text='From when on it is charged.'),
        ),
        migrations.AlterField(
            model_name='price',
            name='enabled',
            field=models.BooleanField(default=True, help_text='Off: nothing may be asked of it.'),
        ),
        migrations.AlterField(
            model_name='price',
            name='long_cache_read',
            field=models.DecimalField(blank=True, decimal_places=9, help_text='The cache read rate of a long prompt.', max_digits=20, null=True),
        ),
        migrations.AlterField(
            model_name='price',
            name='long_cache_write_1h',
            field=models.DecimalField(blank=True, decimal_places=9, help_text="The rate of a long prompt's writes to a cache of an hour.", max_digits=20, null=True),
        ),
        migrations.AlterField(
            model_name='price',
            name='long_cache_write_5m',
            field=models.DecimalField(blank=True, decimal_places=9, help_text="The rate of a long prompt's writes to a cache of five minutes.", max_digits=20, null=True),
        ),
        migrations.AlterField(
            model_name='price',
            name='long_input',
            field=models.DecimalField(blank=True, decimal_places=9, help_text='The input rate of a long prompt.', max_digits=20, null=True),
        ),
        migrations.AlterField(
            model_name='price',
            name='long_output',
            field=models.DecimalField(blank=True, decimal_places=9, help_text='The output rate behind a long prompt.', max_digits=20, null=True),
        ),
        migrations.AlterField(
            model_name='price',
            name='output',
            field=models.DecimalField(blank=True, decimal_places=9, help_text='Dollars per million tokens, thinking included.', max_digits=20, null=True),
        ),
        migrations.AlterField(
            model_name='voucher',
            name='made_by',
            field=models.ForeignKey(editable=False, help_text='Who of the staff.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='balanceoperation',
            constraint=models.CheckConstraint(condition=models.Q(('cost__isnull', True), models.Q(('cost__gte', 0), ('cost__lt', Decimal('100000000000')), ('kind__in', ('usage', 'tool'))), _connector='OR'), name='operation_cost_is_of_a_charge'),
        ),
        migrations.RunSQL(CONFIRM_OLD, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name='voucher',
            constraint=models.CheckConstraint(condition=models.Q(('used', 0), ('confirmed_at__isnull', False), ('uses__lte', django.db.models.expressions.CombinedExpression(models.Value(Decimal('50')), '/', models.F('usd'))), _connector='OR'), name='voucher_large_is_confirmed_before_it_is_used'),
        ),
        migrations.AddConstraint(
            model_name='voucher',
            constraint=models.CheckConstraint(condition=models.Q(('confirmed_by__isnull', True), models.Q(('confirmed_by', models.F('made_by')), _negated=True), _connector='OR'), name='voucher_is_confirmed_by_somebody_else'),
        ),
        migrations.AddField(
            model_name='absorbedcost',
            name='user',
            field=models.ForeignKey(help_text='For whom it was asked.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.user'),
        ),
        migrations.AddField(
            model_name='priceproposal',
            name='decided_by',
            field=models.ForeignKey(blank=True, help_text='Who of the staff.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
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
        migrations.AddConstraint(
            model_name='priceproposal',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'waiting')), fields=('item', 'effective_from'), name='one_waiting_proposal_per_item_and_date', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='priceproposal',
            constraint=models.CheckConstraint(condition=models.Q(('item', ''), _negated=True), name='priceproposal_has_an_item'),
        ),
        migrations.AddConstraint(
            model_name='priceproposal',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('cache_read__isnull', False), ('cache_write_1h__isnull', False), ('cache_write_5m__isnull', False), ('input__isnull', False), ('output__isnull', False), ('per_unit__isnull', True)), models.Q(('cache_read__isnull', True), ('cache_write_1h__isnull', True), ('cache_write_5m__isnull', True), ('input__isnull', True), ('long_above__isnull', True), ('output__isnull', True), ('web_search__isnull', True), ('per_unit__isnull', False)), _connector='OR'), name='priceproposal_is_of_a_model_or_of_a_unit'),
        ),
        migrations.AddConstraint(
            model_name='priceproposal',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('long_above__isnull', True), ('long_cache_read__isnull', True), ('long_cache_write_1h__isnull', True), ('long_cache_write_5m__isnull', True), ('long_input__isnull', True), ('long_output__isnull', True)), models.Q(('long_above__isnull', False), ('long_cache_read__isnull', False), ('long_cache_write_1h__isnull', False), ('long_cache_write_5m__isnull', False), ('long_input__isnull', False), ('long_output__isnull', False), ('long_above__gt', 0)), _connector='OR'), name='priceproposal_long_tier_is_whole'),
        ),
        migrations.AddConstraint(
            model_name='priceproposal',
            constraint=models.CheckConstraint(condition=models.Q(('input__isnull', True), models.Q(('input__gt', 0), ('input__lte', Decimal('10000'))), _connector='OR'), name='priceproposal_input_is_sane'),
        ),
        migrations.AddConstraint(
            model_name='priceproposal',
            constraint=models.CheckConstraint(condition=models.Q(('output__isnull', True), models.Q(('output__gt', 0), ('output__lte', Decimal('10000'))), _connector='OR'), name='priceproposal_output_is_sane'),
        ),
        migrations.AddConstraint(
            model_name='priceproposal',
            constraint=models.CheckConstraint(condition=models.Q(('cache_read__isnull', True), models.Q(('cache_read__gt', 0), ('cache_read__lte', Decimal('10000'))), _connector='OR'), name='priceproposal_cache_read_is_sane'),
        ),
        migrations.AddConstraint(
            model_name='priceproposal',
            constraint=models.CheckConstraint(condition=models.Q(('cache_write_5m__isnull', True), models.Q(('cache_write_5m__gt', 0), ('cache_write_5m__lte', Decimal('10000'))), _connector='OR'), name='priceproposal_cache_write_5m_is_sane'),
        ),
        migrations.AddConstraint(
            model_name='priceproposal',
            constraint=models.CheckConstraint(condition=models.Q(('cache_write_1h__isnull', True), models.Q(('cache_write_1h__gt', 0), ('cache_write_1h__lte', Decimal('10000'))), _connector='OR'), name='priceproposal_cache_write_1h_is_sane'),
        ),
        migrations.AddConstraint(
            model_name='priceproposal',
            constraint=models.CheckConstraint(condition=models.Q(('long_input__isnull', True), models.Q(('long_input__gt', 0), ('long_input__lte', Decimal('10000'))), _connector='OR'), name='priceproposal_long_input_is_sane'),
        ),
        migrations.AddConstraint(
            model_name='priceproposal',
            constraint=models.CheckConstraint(condition=models.Q(('long_output__isnull', True), models.Q(('long_output__gt', 0), ('long_output__lte', Decimal('10000'))), _connector='OR'), name='priceproposal_long_output_is_sane'),
        ),
        migrations.AddConstraint(
            model_name='priceproposal',
            constraint=models.CheckConstraint(condition=models.Q(('long_cache_read__isnull', True), models.Q(('long_cache_read__gt', 0), ('long_cache_read__lte', Decimal('10000'))), _connector='OR'), name='priceproposal_long_cache_read_is_sane'),
        ),
        migrations.AddConstraint(
            model_name='priceproposal',
            constraint=models.CheckConstraint(condition=models.Q(('long_cache_write_5m__isnull', True), models.Q(('long_cache_write_5m__gt', 0), ('long_cache_write_5m__lte', Decimal('10000'))), _connector='OR'), name='priceproposal_long_cache_write_5m_is_sane'),
        ),
        migrations.AddConstraint(
            model_name='priceproposal',
            constraint=models.CheckConstraint(condition=models.Q(('long_cache_write_1h__isnull', True), models.Q(('long_cache_write_1h__gt', 0), ('long_cache_write_1h__lte', Decimal('10000'))), _connector='OR'), name='priceproposal_long_cache_write_1h_is_sane'),
        ),
        migrations.AddConstraint(
            model_name='priceproposal',
            constraint=models.CheckConstraint(condition=models.Q(('web_search__isnull', True), models.Q(('web_search__gt', 0), ('web_search__lte', Decimal('10000'))), _connector='OR'), name='priceproposal_web_search_is_sane'),
        ),
        migrations.AddConstraint(
            model_name='priceproposal',
            constraint=models.CheckConstraint(condition=models.Q(('per_unit__isnull', True), models.Q(('per_unit__gt', 0), ('per_unit__lte', Decimal('10000'))), _connector='OR'), name='priceproposal_per_unit_is_sane'),
        ),
        migrations.RunSQL(KEEP_COSTS, FREE_COSTS),
        migrations.RunSQL(BOOKS, "DROP VIEW billing_books;"),
    ]
