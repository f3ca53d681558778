"""`{{ amount|dollars }}` in the bot's sentences."""

from django import template

from telegram_bot.money import dollars

register = template.Library()
register.filter("dollars", dollars)
