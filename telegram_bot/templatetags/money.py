"""`{{ amount|dollars }}` in the bot's sentences."""

from django import template

from accounts.money import dollars

register = template.Library()
register.filter("dollars", dollars)
