"""What things cost, from which day, who says so, and what a GPU can do."""
