"""Which permissions the ready-made groups of staff were given, and the log of bans."""

import django.contrib.admin.models
from django.db import migrations, models


# What the version before this one gave the groups it made. What is missing in a group by now was taken away by hand.
GIVEN = {
    "Support": (
        "accounts.view_user",
        "billing.view_balanceoperation",
        "billing.view_hold",
        "billing.view_payment",
        "accounts.block_person",
        "conversations.view_chat",
        "conversations.view_thread",
        "conversations.view_turn",
        "conversations.view_message",
        "conversations.view_userfile",
        "conversations.view_deadevent",
        "conversations.change_deadevent",
        "tools.view_toolcall",
        "telegram_bot.view_update",
        "telegram_bot.view_announcement",
        "telegram_bot.view_delivery",
    ),
    "Finance": (
        "accounts.view_user",
        "billing.view_balanceoperation",
        "billing.view_hold",
        "billing.view_payment",
        "billing.adjust_balance",
        "billing.refund_payment",
        "billing.view_unmatchedtransaction",
        "billing.view_voucher",
        "billing.add_voucher",
        "accounts.allow_spending",
        "billing.view_price",
        "billing.add_price",
        "billing.change_price",
        "billing.view_starrate",
        "billing.add_starrate",
        "conversations.view_turn",
        "tools.view_toolcall",
    ),
}


def remember(apps, schema_editor):
    """A database that has the groups was given these already; a new one is given everything after `migrate`."""
    groups = apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias)
    grants = apps.get_model("accounts", "GroupGrant").objects.using(schema_editor.connection.alias)
    for group in groups.filter(name__in=GIVEN):
        grants.bulk_create(
            grants.model(group=group.name, permission=permission) for permission in GIVEN[group.name]
        )


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_preferences_and_forgetting'),
        ('admin', '0003_logentry_add_action_flag_choices'),
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        migrations.CreateModel(
            name='Ban',
            fields=[
            ],
            options={
                'proxy': True,
                'indexes': [],
                'constraints': [],
            },
            bases=('admin.logentry',),
            managers=[
                ('objects', django.contrib.admin.models.LogEntryManager()),
            ],
        ),
        migrations.CreateModel(
            name='GroupGrant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('group', models.CharField(help_text='Its name, as in config/staff.py.', max_length=150)),
                ('permission', models.CharField(help_text='As code asks for it: billing.view_payment.', max_length=200)),
                ('created_at', models.DateTimeField(auto_now_add=True, help_text='When it was given.')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('group', 'permission'), name='a_group_is_given_a_permission_once')],
            },
        ),
        migrations.RunPython(remember, migrations.RunPython.noop),
    ]
