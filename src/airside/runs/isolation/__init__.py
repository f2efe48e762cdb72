"""Where attempts are executed: in this process, in processes of their own, or in Linux namespaces."""
