"""Studies of this project: trainings, results, a page and checks."""
