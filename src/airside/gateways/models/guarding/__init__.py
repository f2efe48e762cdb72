"""What goes to models is checked, and marked as data: the steps `guard` and `spotlight`."""
