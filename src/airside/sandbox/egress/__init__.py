"""The way out of tool processes: a proxy that knows which of them may reach which hosts, and blocks everything else."""
