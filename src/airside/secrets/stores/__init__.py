"""Where secrets come from: environment, files, Vault or OpenBao, AWS Secrets Manager."""
