"""`{{ amount|dollars }}`, `{{ amount|cost }}`, `{{ amount|exact }}` and `{{ tokens|count }}` in the bot's sentences."""

from django import template
from django.utils.formats import number_format

from accounts.money import cost_dollars, dollars, exact_dollars

register = template.Library()
register.filter("dollars", dollars)
register.filter("cost", cost_dollars)
register.filter("exact", exact_dollars)


@register.filter
def count(number: int) -> str:
    """A whole number grouped as the language groups it: 2,113."""
    return number_format(number, use_l10n=True, force_grouping=True)
