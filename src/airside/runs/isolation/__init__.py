"""Where an attempt is executed: inline, in a process, or in namespaces of its own."""
