"""Every setting, read from the environment (NAME or NAME_FILE) and from .env; .env.example explains each."""

import contextlib
import secrets
from decimal import Decimal
from urllib.parse import urlsplit

import django_stubs_ext
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse_lazy

from config.admin_site import UNFOLD  # noqa: F401  a setting like any other
from config.env import Environment
from config.logging import secrets_of
from config.place import CHECKOUT, FOLDER_MODE, checkout_place, keep_private

BASE_DIR = CHECKOUT
env = Environment(BASE_DIR)

# Fields and ModelAdmin take type arguments at run time too, as django-stubs writes them.
django_stubs_ext.monkeypatch()

# What this checkout keeps: the embedded servers' data, files, its key. Not everybody may write here.
LOCAL = BASE_DIR / ".local"
with contextlib.suppress(OSError):
    LOCAL.mkdir(mode=FOLDER_MODE, exist_ok=True)

# The longest a task may run; the visibility timeout below must be longer, or it would run twice at once.
TASK_SECONDS_MAX = 900
# The same for a tool's long run, which has a queue and workers of its own: an hour of Python, and its files.
LONG_RUN_SECONDS_MAX = 3900


def _own_secret_key() -> str:
    """This machine's own key, made once: nobody has to invent one to try Starling."""
    path = LOCAL / "secret_key"
    try:
        return keep_private(path, secrets.token_urlsafe(50))
    except OSError as error:
        raise ImproperlyConfigured(
            f"SECRET_KEY is not set and none can be kept in {path}: {error}."
        ) from error


# The frame -------------------------------------------------------------------------------------------

SECRET_KEY = env.text("SECRET_KEY") or _own_secret_key()
DEBUG = env.flag("DEBUG", default=False)
# True behind a proxy that speaks HTTPS: cookies, redirects and HSTS then insist on it.
HTTPS = env.flag("HTTPS", default=False)
# 127.0.0.1 in any case: health probes come from inside.
ALLOWED_HOSTS = [*env.listing("ALLOWED_HOSTS", "localhost,[::1]"), "127.0.0.1"]
CSRF_TRUSTED_ORIGINS = env.listing("CSRF_TRUSTED_ORIGINS")
WEB_HOST = env.text("WEB_HOST", "127.0.0.1")
WEB_PORT = env.port("WEB_PORT", 8000)

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "config",
    "accounts",
    "billing",
    "conversations",
    "tools",
    "telegram_bot",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.csp.ContentSecurityPolicy",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTH_USER_MODEL = "accounts.Staff"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = reverse_lazy("admin:login")
LOGIN_REDIRECT_URL = reverse_lazy("admin:index")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REDIRECT_EXEMPT = [r"^health$"]  # probes come from inside, over plain HTTP
SESSION_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"

# Languages and files ---------------------------------------------------------------------------------

USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ru", "Русский")]
LOCALE_PATHS = [BASE_DIR / "locale"]

STATIC_URL = "static/"
# WhiteNoise reads the packages' own folders: there is no collected copy to forget.
WHITENOISE_USE_FINDERS = True
# What people send is nobody else's to read.
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700
MEDIA_ROOT = BASE_DIR / env.text("MEDIA_ROOT", ".local/media")

# PostgreSQL and Redis --------------------------------------------------------------------------------

DATABASE_URL = env.address("DATABASE_URL", schemes=("postgres", "postgresql"))
EMBEDDED_POSTGRES = not DATABASE_URL
DATABASE_URL = DATABASE_URL or checkout_place().database_url()
DATABASES = {
    "default": env.db_url_config(DATABASE_URL)
    | {
        # Reused for ten minutes, and checked before each use: a restart of PostgreSQL costs no query.
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
    }
}
# A statement that comes again is prepared: PostgreSQL reads and plans it once per connection.
DATABASES["default"].setdefault("OPTIONS", {}).update(server_side_binding=True, prepare_threshold=2)
DB_THREADS = env.whole("DB_THREADS", 12, least=1, most=64)

REDIS_URL = env.address("REDIS_URL", schemes=("redis", "rediss", "unix"))
EMBEDDED_REDIS = not REDIS_URL
REDIS_URL = REDIS_URL or checkout_place().redis_url()
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        # What is cached can be had elsewhere: without Redis the admin is slower, not down.
        "OPTIONS": {"IGNORE_EXCEPTIONS": True, "LOG_IGNORED_EXCEPTIONS": True},
        "KEY_PREFIX": "django",
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"

# Celery ----------------------------------------------------------------------------------------------

# Celery's word for a Unix socket is its own.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
CELERY_RESULT_BACKEND = CELERY_BROKER_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_EXPIRES = 3600
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = "json"
# A task may run twice and never not at all.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = TASK_SECONDS_MAX
CELERY_TASK_SOFT_TIME_LIMIT = TASK_SECONDS_MAX - 30
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": LONG_RUN_SECONDS_MAX + TASK_SECONDS_MAX}
# Nothing short waits behind a long run.
CELERY_TASK_ROUTES = {"tools.tasks.run_long": {"queue": "long"}}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = TIME_ZONE
CELERY_BEAT_SCHEDULE_FILENAME = str(LOCAL / "beat-schedule")
# `expires`: what could not run in its own time is not done twice later.
CELERY_BEAT_SCHEDULE = {
    "expire holds": {"task": "billing.tasks.expire_holds", "schedule": 15.0, "options": {"expires": 15}},
    "audit the ledger": {
        "task": "billing.tasks.audit_ledger",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "prune unpaid orders": {
        "task": "billing.tasks.prune_orders",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "flush events": {"task": "conversations.tasks.flush_events", "schedule": 5.0, "options": {"expires": 5}},
    "drop stale copies": {
        "task": "conversations.tasks.drop_stale_copies",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "forget long runs": {
        "task": "tools.tasks.forget_long_runs",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "tidy sandboxes": {"task": "tools.tasks.tidy_sandboxes", "schedule": 300.0, "options": {"expires": 300}},
    "prune the inbox": {
        "task": "telegram_bot.tasks.prune_inbox",
        "schedule": 86400.0,
        "options": {"expires": 86400},
    },
    "erase quiet threads": {
        "task": "telegram_bot.tasks.erase_quiet_threads",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "gather exports": {
        "task": "telegram_bot.tasks.gather_exports",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "discard old exports": {
        "task": "telegram_bot.tasks.discard_old_exports",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
}

# Telegram --------------------------------------------------------------------------------------------

# In a real token's form, for a bot that only the playground knows.
PLAYGROUND_TOKEN = "1000000001:PLAYGROUND_no_real_bot_has_this_one"  # noqa: S105
PLAYGROUND_PORT = env.port("PLAYGROUND_PORT", 8081)
TELEGRAM_BOT_TOKEN = env.bot_token("TELEGRAM_BOT_TOKEN") or PLAYGROUND_TOKEN
# The stand-in never runs beside a real bot.
PLAYGROUND = TELEGRAM_BOT_TOKEN == PLAYGROUND_TOKEN
TELEGRAM_API_URL = env.address("TELEGRAM_API_URL", "https://api.telegram.org", schemes=("https", "http"))
if PLAYGROUND:
    TELEGRAM_API_URL = f"http://127.0.0.1:{PLAYGROUND_PORT}"

# Only for `runbot --webhook`: where Telegram posts, the word that proves it is Telegram, and where we listen.
TELEGRAM_WEBHOOK_URL = env.address("TELEGRAM_WEBHOOK_URL", schemes=("https", "http"))
TELEGRAM_WEBHOOK_SECRET = env.text("TELEGRAM_WEBHOOK_SECRET")
TELEGRAM_WEBHOOK_HOST = env.text("TELEGRAM_WEBHOOK_HOST", "127.0.0.1")
TELEGRAM_WEBHOOK_PORT = env.port("TELEGRAM_WEBHOOK_PORT", 8082)

# The largest file that is fetched from a chat: 20 MB is what api.telegram.org gives; a server of one's own, more.
TELEGRAM_FILES_MAX_MB = env.whole("TELEGRAM_FILES_MAX_MB", 20, least=1, most=200)

# Models ----------------------------------------------------------------------------------------------

ANTHROPIC_API_KEY = env.text("ANTHROPIC_API_KEY")
ANTHROPIC_BASE_URL = env.address("ANTHROPIC_BASE_URL", "https://api.anthropic.com", schemes=("https", "http"))
OPENAI_API_KEY = env.text("OPENAI_API_KEY")
OPENAI_BASE_URL = env.address("OPENAI_BASE_URL", "https://api.openai.com/v1", schemes=("https", "http"))
OPENAI_MODELS = env.served_models("OPENAI_MODELS")
# Another address than OpenAI's (or one of its regions') is a server that speaks Chat Completions.
OPENAI_COMPATIBLE = not f".{urlsplit(OPENAI_BASE_URL).hostname}".endswith(".api.openai.com")
if OPENAI_COMPATIBLE and not OPENAI_MODELS:
    raise ImproperlyConfigured(
        "OPENAI_BASE_URL is another server than OpenAI's: name its models in OPENAI_MODELS."
    )
if OPENAI_MODELS and not OPENAI_COMPATIBLE:
    raise ImproperlyConfigured(
        "OPENAI_MODELS is for another server than OpenAI's: set OPENAI_BASE_URL to its address."
    )

GEMINI_API_KEY = env.text("GEMINI_API_KEY")
GEMINI_BASE_URL = env.address(
    "GEMINI_BASE_URL", "https://generativelanguage.googleapis.com", schemes=("https", "http")
)

# The first vendor with a key answers new people; a server of one's own has no price until staff give it one.
_FIRST = (
    ("claude-sonnet-5-5", ANTHROPIC_API_KEY),
    ("gpt-6.1-sol", "" if OPENAI_COMPATIBLE else OPENAI_API_KEY),
    ("gemini-3.8-flash", GEMINI_API_KEY),
)
DEFAULT_MODEL = env.text("DEFAULT_MODEL", next((model for model, key in _FIRST if key), "demo"))
for _word, _name, _usable in (
    ("claude-", "ANTHROPIC_API_KEY", ANTHROPIC_API_KEY),
    ("gpt-", "OPENAI_API_KEY", OPENAI_API_KEY or OPENAI_COMPATIBLE),
    ("gemini-", "GEMINI_API_KEY", GEMINI_API_KEY),
):
    if DEFAULT_MODEL.startswith(_word) and not _usable:
        raise ImproperlyConfigured(
            f"DEFAULT_MODEL is {DEFAULT_MODEL}, which needs {_name}; without it use demo."
        )

# The least leaves room for a summary itself; the most is a window no model exceeds.
COMPACT_AT_TOKENS = env.whole("COMPACT_AT_TOKENS", 150_000, least=1_000, most=10_000_000)

TITLES = env.flag("TITLES", default=True)

# Where the Python that models write runs: auto is e2b with its key, else local where this machine can confine
# it, else off.
SANDBOX = env.choice("SANDBOX", "auto", ("auto", "e2b", "local", "off"))
E2B_API_KEY = env.text("E2B_API_KEY")
E2B_DOMAIN = env.text("E2B_DOMAIN", "e2b.app")
# Both follow from the domain; others are for a gateway, or a stand-in.
E2B_API_URL = env.address("E2B_API_URL", schemes=("https", "http"))
E2B_SANDBOX_URL = env.address("E2B_SANDBOX_URL", schemes=("https", "http"))
if SANDBOX == "e2b" and not E2B_API_KEY:
    raise ImproperlyConfigured("SANDBOX is e2b, which needs E2B_API_KEY; without it use auto.")

# Money: US dollars -----------------------------------------------------------------------------------

STARTING_BALANCE_USD: Decimal = env.dollars("STARTING_BALANCE_USD", "1.00")
TURN_CAP_USD: Decimal = env.dollars("TURN_CAP_USD", "0.50")
OVERDRAFT_LIMIT_USD: Decimal = env.dollars("OVERDRAFT_LIMIT_USD", "0.25")
RUNNING_TURNS_MAX = env.whole("RUNNING_TURNS_MAX", 3, least=1, most=100)
# Zero means no cap.
DAILY_CAP_USD: Decimal = env.dollars("DAILY_CAP_USD", "0")
BOT_DAILY_CAP_USD: Decimal = env.dollars("BOT_DAILY_CAP_USD", "0")
# A new person: for so many hours after their first message, until they have paid once.
NEW_PERSON_HOURS = env.whole("NEW_PERSON_HOURS", 24, least=0, most=8760)
NEW_PERSON_CAP_USD: Decimal = env.dollars("NEW_PERSON_CAP_USD", "0")
NEW_PERSON_TURNS_MAX = env.whole("NEW_PERSON_TURNS_MAX", 0, least=0, most=100)
GRANTS_DAILY_CAP_USD: Decimal = env.dollars("GRANTS_DAILY_CAP_USD", "0")
# What people are charged beside what vendors ask; docs/decisions/what-people-pay-and-what-it-costs.md.
MARGIN_PERCENT: Decimal = env.percent("MARGIN_PERCENT", "0", most=500)
CACHE_WRITE_SUBSIDY_PERCENT: Decimal = env.percent("CACHE_WRITE_SUBSIDY_PERCENT", "0", most=100)

# Logs ------------------------------------------------------------------------------------------------

LOGGING_CONFIG = "config.logging.configure"
LOGGING = {
    "format": env.choice("LOG_FORMAT", "console", ("console", "json")),
    "level": env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")),
    "secrets": secrets_of(
        SECRET_KEY,
        TELEGRAM_BOT_TOKEN,
        TELEGRAM_WEBHOOK_SECRET,
        ANTHROPIC_API_KEY,
        OPENAI_API_KEY,
        GEMINI_API_KEY,
        E2B_API_KEY,
        DATABASE_URL,
        REDIS_URL,
    ),
}
