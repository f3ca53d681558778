"""The web role: `uvicorn config.asgi:application`."""

from django.core.handlers.asgi import ASGIHandler

from config.start import set_up

set_up()
application = ASGIHandler()
