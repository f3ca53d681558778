"""A balance is what the last operation left: nothing else may be written there, whoever asks.

It stops a row read earlier and saved whole (it would undo the charges since), an edit in a shell and
a fixture alike. The operation is written first, so the ledger never notices.
"""

from django.db import migrations

FOLLOW = """
CREATE FUNCTION billing_balance_follows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    left_by_last numeric;
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.balance = OLD.balance THEN
        RETURN NEW;
    END IF;
    SELECT balance_after INTO left_by_last FROM billing_balanceoperation
        WHERE user_id = NEW.id ORDER BY id DESC LIMIT 1;
    IF NEW.balance <> COALESCE(left_by_last, 0) THEN
        RAISE EXCEPTION 'the balance of person % is %, not %', NEW.id, COALESCE(left_by_last, 0), NEW.balance
            USING ERRCODE = 'restrict_violation', HINT = 'Only billing/ledger.py moves money.';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER balance_follows BEFORE INSERT OR UPDATE OF balance ON accounts_user
    FOR EACH ROW EXECUTE FUNCTION billing_balance_follows();
"""
FREE = """
DROP TRIGGER balance_follows ON accounts_user;
DROP FUNCTION billing_balance_follows();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_append_only")]

    operations = [migrations.RunSQL(FOLLOW, FREE)]
