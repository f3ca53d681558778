"""`make evals`: how often a model calls the right tool with our prompt, in a table; ARGS="--model claude-haiku-5-5".

Asks the model of new people, which is a vendor's when its key is set: about 60 short calls, some cents with a
large model. Without a key it asks the demo, which is a script and no measure of the prompt; the report says so.
"""

from config.start import set_up

set_up()

from tests.evals.running import main  # noqa: E402  the settings come first

main()
