"""A small linear classifier that ships with airside: what rules do not name, it may still recognise."""

from airside.guards.injection.classifier.detect import Classifier
from airside.guards.injection.classifier.model import shipped


def detector() -> Classifier:
    """Return the classifier with the model that ships with airside."""
    return Classifier(shipped())
