"""`{{ amount|dollars }}` and `{{ amount|exact }}` in the bot's sentences."""

from django import template

from accounts.money import dollars, exact_dollars

register = template.Library()
register.filter("dollars", dollars)
register.filter("exact", exact_dollars)
