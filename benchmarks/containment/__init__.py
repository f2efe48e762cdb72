"""How much harm a hijacked agent can do behind the product's own rules: AgentDojo's tasks, replayed without a model."""
