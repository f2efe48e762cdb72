"""What happens when a model cannot answer: other models, then a rule, then a person, then a safe answer."""
