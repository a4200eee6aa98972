"""What every process needs and what knows no municipal noun."""
