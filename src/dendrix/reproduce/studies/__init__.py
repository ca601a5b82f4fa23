"""Studies of this project: several trainings, a table of results, and checks."""
