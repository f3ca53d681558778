"""What is written about money stays: no operation and no price is ever changed, whoever asks."""

from django.db import migrations

KEEP_OPERATIONS = """
CREATE FUNCTION billing_operations_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'balance operations are append-only: % refused', TG_OP
        USING ERRCODE = 'restrict_violation', HINT = 'A mistake is mended by another operation.';
END $$;

CREATE TRIGGER operations_stay BEFORE UPDATE OR DELETE ON billing_balanceoperation
    FOR EACH STATEMENT EXECUTE FUNCTION billing_operations_stay();

-- Django empties its own test databases, all named test_…, by TRUNCATE; nobody else may.
CREATE TRIGGER operations_stay_whole BEFORE TRUNCATE ON billing_balanceoperation
    FOR EACH STATEMENT WHEN (current_database() NOT LIKE 'test\\_%')
    EXECUTE FUNCTION billing_operations_stay();
"""
FREE_OPERATIONS = """
DROP TRIGGER operations_stay_whole ON billing_balanceoperation;
DROP TRIGGER operations_stay ON billing_balanceoperation;
DROP FUNCTION billing_operations_stay();
"""

KEEP_PRICES = """
CREATE FUNCTION billing_prices_stay() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    editable text[] := ARRAY['enabled', 'display_order'];
BEGIN
    IF TG_OP = 'DELETE' OR to_jsonb(OLD) - editable IS DISTINCT FROM to_jsonb(NEW) - editable THEN
        RAISE EXCEPTION 'a price is never changed: % of % refused', TG_OP, OLD.item
            USING ERRCODE = 'restrict_violation', HINT = 'A new price is a new row with a later date.';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER prices_stay BEFORE UPDATE OR DELETE ON billing_price
    FOR EACH ROW EXECUTE FUNCTION billing_prices_stay();
"""
FREE_PRICES = """
DROP TRIGGER prices_stay ON billing_price;
DROP FUNCTION billing_prices_stay();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]

    operations = [
        migrations.RunSQL(KEEP_OPERATIONS, FREE_OPERATIONS),
        migrations.RunSQL(KEEP_PRICES, FREE_PRICES),
    ]
