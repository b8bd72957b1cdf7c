"""Models: a front end, a backbone and a head; their files, their export, the shipped weights."""
