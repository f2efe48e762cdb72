"""Rules for injection and jailbreaks: phrases of ten languages, and the signs that they make together."""

from airside.guards.injection.rules.detect import Rules


def detector() -> Rules:
    """Return the detector of injection and jailbreaks by rules."""
    return Rules()
