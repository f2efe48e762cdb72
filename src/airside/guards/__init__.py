"""What goes in and what comes out is checked: findings are facts about a text, what follows from them is a setting."""
