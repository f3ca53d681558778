"""The web role for a WSGI server: `config.wsgi:application`."""

from django.core.handlers.wsgi import WSGIHandler

from config.start import set_up

set_up()
application = WSGIHandler()
