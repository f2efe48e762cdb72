"""What Linux gives to confine a process: calls that Python lacks, filters, process trees."""
