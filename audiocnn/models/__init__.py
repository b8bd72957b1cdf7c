"""Models: a front end, a backbone and a head; from a file, their scores, their export."""
