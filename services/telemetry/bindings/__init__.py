"""What was really bound, joined to the decision records and kept: agreement, regret, realised load."""
