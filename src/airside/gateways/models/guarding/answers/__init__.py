"""What models say, checked before anyone is given it: in one piece, and while it arrives."""
