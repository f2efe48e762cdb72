"""An agent that cannot be imported."""

import json

json.loads("{")
